"""Senders that anybody can be, without an account: how much they may send. Pure.

An adapter whose proof is handed out to everybody says in `Adapter.guest` who sent a delivery; the
front door counts it before anything is stored (events.door.quotas).
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

MEGABYTE = 1024 * 1024


class Quota(BaseModel):
    """How much may come in a minute and in a day; 0 is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages_per_minute: int = Field(0, ge=0)
    bytes_per_minute: int = Field(0, ge=0)
    messages_per_day: int = Field(0, ge=0)
    bytes_per_day: int = Field(0, ge=0)


class VisitorQuota(Quota):
    messages_per_minute: int = Field(30, ge=0)
    bytes_per_minute: int = Field(32 * MEGABYTE, ge=0)
    messages_per_day: int = Field(1000, ge=0)
    bytes_per_day: int = Field(256 * MEGABYTE, ge=0)


class AddressQuota(Quota):
    messages_per_minute: int = Field(120, ge=0)
    bytes_per_minute: int = Field(64 * MEGABYTE, ge=0)
    messages_per_day: int = Field(5000, ge=0)
    bytes_per_day: int = Field(1024 * MEGABYTE, ge=0)


class InstanceQuota(Quota):
    messages_per_minute: int = Field(1200, ge=0)
    bytes_per_minute: int = Field(256 * MEGABYTE, ge=0)
    messages_per_day: int = Field(50_000, ge=0)
    bytes_per_day: int = Field(8192 * MEGABYTE, ge=0)


class Limits(BaseModel):
    """What one guest, one network address and all guests together may send to one instance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visitor: VisitorQuota = Field(VisitorQuota(), description="One visitor.")
    address: AddressQuota = Field(AddressQuota(), description="All visitors of one address.")
    instance: InstanceQuota = Field(InstanceQuota(), description="All visitors together.")


@dataclass(frozen=True, slots=True)
class Guest:
    """Who sent a delivery. signal: the state to pass on to open pages ("typing"); a delivery that
    has one is not stored.
    """

    name: str
    limits: Limits
    signal: str = ""
