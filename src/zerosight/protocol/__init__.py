"""Protocols of papers, run from data to their tables."""

from zerosight.protocol.run import Pair, ProtocolConfig, ProtocolData, Watch, run_protocol
from zerosight.protocol.tables import ProtocolRow, ProtocolTables

__all__ = [
    "Pair",
    "ProtocolConfig",
    "ProtocolData",
    "ProtocolRow",
    "ProtocolTables",
    "Watch",
    "run_protocol",
]
