from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stat(_message.Message):
    __slots__ = ("pod_name", "average_concurrent_requests", "average_proxied_concurrent_requests", "request_count", "proxied_request_count", "process_uptime", "timestamp")
    POD_NAME_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_CONCURRENT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PROXIED_CONCURRENT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROXIED_REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROCESS_UPTIME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    pod_name: str
    average_concurrent_requests: float
    average_proxied_concurrent_requests: float
    request_count: float
    proxied_request_count: float
    process_uptime: float
    timestamp: int
    def __init__(self, pod_name: _Optional[str] = ..., average_concurrent_requests: _Optional[float] = ..., average_proxied_concurrent_requests: _Optional[float] = ..., request_count: _Optional[float] = ..., proxied_request_count: _Optional[float] = ..., process_uptime: _Optional[float] = ..., timestamp: _Optional[int] = ...) -> None: ...

class WireStatMessage(_message.Message):
    __slots__ = ("namespace", "name", "stat")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STAT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    stat: Stat
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., stat: _Optional[_Union[Stat, _Mapping]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("messages", "cut", "sender", "second", "hello", "pods", "cordoned", "bye", "occupied", "leaving", "welcome", "cordon", "uncordon", "owner", "address")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    CORDONED_FIELD_NUMBER: _ClassVar[int]
    BYE_FIELD_NUMBER: _ClassVar[int]
    OCCUPIED_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    CORDON_FIELD_NUMBER: _ClassVar[int]
    UNCORDON_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[WireStatMessage]
    cut: int
    sender: str
    second: int
    hello: Hello
    pods: Pods
    cordoned: Cordoned
    bye: Bye
    occupied: Occupied
    leaving: Leaving
    welcome: Welcome
    cordon: Cordon
    uncordon: Uncordon
    owner: Owner
    address: Address
    def __init__(self, messages: _Optional[_Iterable[_Union[WireStatMessage, _Mapping]]] = ..., cut: _Optional[int] = ..., sender: _Optional[str] = ..., second: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., pods: _Optional[_Union[Pods, _Mapping]] = ..., cordoned: _Optional[_Union[Cordoned, _Mapping]] = ..., bye: _Optional[_Union[Bye, _Mapping]] = ..., occupied: _Optional[_Union[Occupied, _Mapping]] = ..., leaving: _Optional[_Union[Leaving, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., cordon: _Optional[_Union[Cordon, _Mapping]] = ..., uncordon: _Optional[_Union[Uncordon, _Mapping]] = ..., owner: _Optional[_Union[Owner, _Mapping]] = ..., address: _Optional[_Union[Address, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("activator", "pod_uid", "version", "process", "peer_address", "peer_secret", "claims")
    ACTIVATOR_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_SECRET_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    activator: str
    pod_uid: str
    version: int
    process: str
    peer_address: str
    peer_secret: str
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    def __init__(self, activator: _Optional[str] = ..., pod_uid: _Optional[str] = ..., version: _Optional[int] = ..., process: _Optional[str] = ..., peer_address: _Optional[str] = ..., peer_secret: _Optional[str] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("namespace", "revision", "activator", "epoch")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATOR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    activator: str
    epoch: int
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., activator: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class PodLoad(_message.Message):
    __slots__ = ("namespace", "revision", "pod_uid", "in_flight")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    pod_uid: str
    in_flight: int
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., pod_uid: _Optional[str] = ..., in_flight: _Optional[int] = ...) -> None: ...

class Pods(_message.Message):
    __slots__ = ("in_flight",)
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    in_flight: _containers.RepeatedCompositeFieldContainer[PodLoad]
    def __init__(self, in_flight: _Optional[_Iterable[_Union[PodLoad, _Mapping]]] = ...) -> None: ...

class Cordoned(_message.Message):
    __slots__ = ("pod_uid", "epoch", "in_flight")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    epoch: int
    in_flight: int
    def __init__(self, pod_uid: _Optional[str] = ..., epoch: _Optional[int] = ..., in_flight: _Optional[int] = ...) -> None: ...

class Bye(_message.Message):
    __slots__ = ("activator",)
    ACTIVATOR_FIELD_NUMBER: _ClassVar[int]
    activator: str
    def __init__(self, activator: _Optional[str] = ...) -> None: ...

class Leaving(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PodSlots(_message.Message):
    __slots__ = ("pod_uid", "slots")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    slots: int
    def __init__(self, pod_uid: _Optional[str] = ..., slots: _Optional[int] = ...) -> None: ...

class Occupied(_message.Message):
    __slots__ = ("namespace", "revision", "epoch", "pods")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    epoch: int
    pods: _containers.RepeatedCompositeFieldContainer[PodSlots]
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., epoch: _Optional[int] = ..., pods: _Optional[_Iterable[_Union[PodSlots, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "leader", "names_owners")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    NAMES_OWNERS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    leader: str
    names_owners: bool
    def __init__(self, epoch: _Optional[int] = ..., leader: _Optional[str] = ..., names_owners: _Optional[bool] = ...) -> None: ...

class Cordon(_message.Message):
    __slots__ = ("namespace", "revision", "pod_uid", "epoch", "expires_in")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    pod_uid: str
    epoch: int
    expires_in: float
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., pod_uid: _Optional[str] = ..., epoch: _Optional[int] = ..., expires_in: _Optional[float] = ...) -> None: ...

class Uncordon(_message.Message):
    __slots__ = ("namespace", "revision", "pod_uid", "epoch")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    pod_uid: str
    epoch: int
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., pod_uid: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class Owner(_message.Message):
    __slots__ = ("namespace", "revision", "activator", "epoch", "address", "secret", "is_granted", "reserved", "is_former_stopped")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATOR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    IS_GRANTED_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    IS_FORMER_STOPPED_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    activator: str
    epoch: int
    address: str
    secret: str
    is_granted: bool
    reserved: _containers.RepeatedCompositeFieldContainer[PodSlots]
    is_former_stopped: bool
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., activator: _Optional[str] = ..., epoch: _Optional[int] = ..., address: _Optional[str] = ..., secret: _Optional[str] = ..., is_granted: _Optional[bool] = ..., reserved: _Optional[_Iterable[_Union[PodSlots, _Mapping]]] = ..., is_former_stopped: _Optional[bool] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("namespace", "revision", "pod_uid", "address")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    revision: str
    pod_uid: str
    address: str
    def __init__(self, namespace: _Optional[str] = ..., revision: _Optional[str] = ..., pod_uid: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...
