"""Loops without real time: `virtual_time` (asyncio whose clock jumps to the next timer) and `fake_transport`
(a loop and transports that hold bytes in memory).
"""
