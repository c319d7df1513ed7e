"""What a school declares about its devices, rooms and itself: who, when, on what evidence; never overwritten.

A declaration is no measurement. Facts keep both side by side, and only where nothing can be measured does the
declaration stand in. The table `DECLARABLE` is the one list of what may be declared, in which unit a person writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Mapped, mapped_column

from phongmay_contract.units import GB, GIB, MBIT_PER_SECOND
from phongmay_store.register.base import Versioned
from phongmay_store.register.compliance import SubjectKind


class Declared(Versioned):
    """One declared value of one subject.

    Attributes:
        school_id: school that the subject belongs to; of a unit above schools, that unit.
        name: one of `DECLARABLE`.
        number: value in base units, yes/no as 1/0; None = it is a text.
        text: value of a textual declaration ("" = it is a number).
        declared_by: function or office that declared it ("phó hiệu trưởng", "ban kiểm kê"), not a person's name.
        attachment_sha256: hash of the paper or photograph that shows it ("" = none was given).
    """

    __tablename__ = "declared"

    school_id: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    number: Mapped[float | None]
    text: Mapped[str] = mapped_column(default="")
    declared_by: Mapped[str] = mapped_column(default="")
    attachment_sha256: Mapped[str] = mapped_column(default="")

    @property
    def value(self) -> float | str:
        """The value, whichever kind it is."""
        return self.text if self.number is None else self.number


@dataclass(frozen=True, slots=True)
class Declarable:
    """Something that may be declared.

    Attributes:
        subject: kind of the thing that it is about.
        unit: how a person writes it ("GB", "m2"); "" = a plain number, "yes/no", "text", "date" (kept as 2027-10-12),
            "IP" (addresses).
        factor: written number -> base units.
        low: least believable written number.
        high: greatest believable written number.
        is_past: of a day: something happened on it, so a day to come is not believed.
    """

    name: str
    subject: str
    unit: str
    factor: int = 1
    low: float = 0
    high: float = 1
    is_past: bool = False

    @property
    def is_text(self) -> bool:
        """It is a word, a day or addresses, not a number."""
        return self.unit in ("text", "date", "IP")


_DEVICE, _ROOM, _SCHOOL, _DISTRICT = SubjectKind.DEVICE, SubjectKind.ROOM, SubjectKind.SCHOOL, SubjectKind.DISTRICT

QUARTERS = (1, 2, 3, 4)
"""A report has an item for each quarter of the year: that of one quarter is written over a year later, not by the next
quarter's, which comes while the last one is still judged."""
IN_INVENTORY = "in_inventory"
"""Somebody counted the device where it stands: what a hardware list that names its room says of each PC."""
DECLARABLE: Mapping[str, Declarable] = {
    kind.name: kind
    for kind in (
        Declarable("ram", _DEVICE, "GB", GIB, 0.25, 4096),
        Declarable("cpu_threads", _DEVICE, "", 1, 1, 1024),
        Declarable("cpu_bits", _DEVICE, "bit", 1, 32, 64),
        Declarable("system_disk", _DEVICE, "GB", GB, 4, 100_000),
        Declarable("link_speed", _DEVICE, "Mbit/s", MBIT_PER_SECOND, 10, 400_000),
        Declarable("os", _DEVICE, "text"),
        Declarable("esu_until", _DEVICE, "date"),
        Declarable("screen_width", _DEVICE, "px", 1, 320, 16_384),
        Declarable("screen_height", _DEVICE, "px", 1, 240, 16_384),
        Declarable("serial_number", _DEVICE, "text"),
        Declarable("purchase_year", _DEVICE, "", 1, 1990, 2100),
        Declarable(IN_INVENTORY, _DEVICE, "yes/no"),
        Declarable("area", _ROOM, "m2", 1, 1, 10_000),
        Declarable("display", _ROOM, "yes/no"),
        Declarable("teacher_computer", _ROOM, "yes/no"),
        Declarable("internet", _ROOM, "yes/no"),
        Declarable("audio", _ROOM, "yes/no"),
        Declarable("camera", _ROOM, "yes/no"),
        Declarable("signal_equipment", _ROOM, "yes/no"),
        Declarable("esu_until_school", _SCHOOL, "date"),
        Declarable("students", _SCHOOL, "", 1, 0, 100_000),
        Declarable("modern_labs", _SCHOOL, "", 1, 0, 100),
        Declarable("classrooms", _SCHOOL, "", 1, 0, 1000),
        Declarable("classrooms_equipped", _SCHOOL, "", 1, 0, 1000),
        *(Declarable(f"self_report_q{quarter}", _SCHOOL, "date", is_past=True) for quarter in QUARTERS),
        *(Declarable(f"quarterly_report_q{quarter}", _DISTRICT, "date", is_past=True) for quarter in QUARTERS),
    )
}
"""Class sizes, contracted rates and source addresses are columns of rooms and lines and are declared there."""
