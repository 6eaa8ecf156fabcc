"""Protocols of papers, run from data to their tables."""

from zerosight.protocol.rehearsal import Rehearsal, rehearse
from zerosight.protocol.run import Pair, ProtocolConfig, ProtocolData, Watch, run_protocol
from zerosight.protocol.tables import ProtocolRow, ProtocolTables

__all__ = [
    "Pair",
    "ProtocolConfig",
    "ProtocolData",
    "ProtocolRow",
    "ProtocolTables",
    "Rehearsal",
    "Watch",
    "rehearse",
    "run_protocol",
]
