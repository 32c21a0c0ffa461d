"""`torch.utils.dlpack`: memory shared with other libraries. What there is to say is in ops/exchange.py."""

from ..hints import refusing
from ..ops.exchange import DLDeviceType, from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]

__getattr__ = refusing(__name__, __all__)
