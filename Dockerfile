# The image of all programs: zerogate activator | autoscaler | controller.
#
# The first stage makes three folders with the script that also serves where no container engine runs
# (`make image`); the image holds these and nothing else: Python, the pinned dependencies, the wheel. No shell.
# The base is used while building only. Renew its digest together with the dependencies' lock.
ARG BASE=docker.io/library/debian:bookworm-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716

FROM ${BASE} AS build
RUN apt-get update -qq && apt-get install -qq --no-install-recommends python3-pip ca-certificates >/dev/null
WORKDIR /source
COPY tools/image tools/image
RUN python3 tools/image/folders.py system /image/system
COPY requirements.lock .
RUN python3 tools/image/folders.py dependencies /image/dependencies
COPY . .
RUN python3 tools/image/folders.py program /image/program

FROM scratch
COPY --from=build /image/system /
COPY --from=build /image/dependencies /
COPY --from=build /image/program /
ENV PATH=/usr/local/bin:/usr/bin:/bin
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/zerogate"]
