"""The two tables of access: which permission a route needs, and which roles have a permission.

A route that is not in ROUTES keeps the application from starting; there is no other place where rights are decided.
"""

from __future__ import annotations

from enum import StrEnum

from phongmay_store.register.access import Role


class Permission(StrEnum):
    """What a route does, as far as rights go."""

    PUBLIC = "public"
    """Needs nobody: health, sign-in, the style sheet, enrolment (which brings a token of its own)."""
    JUDGED = "judged"
    """Read what exists and how it is judged: organisation, rooms, devices, rules, verdicts, summaries."""
    MEASURED = "measured"
    """Read measured values."""
    ENROL = "enrol"
    """Make tokens with which machines become devices."""
    DECIDE = "decide"
    """Sign for the district: waive, attest, answer disputes, set parameters. The rules ask besides for a role above the
    school."""
    DISPUTE = "dispute"
    """Say for a school that a verdict about it is wrong."""
    TEST = "test"
    """Order bandwidth tests, and stop them."""
    DECLARE = "declare"
    """Declare facts of a school, by hand or by file, hand in papers and photographs, enter calendars and timetables."""


ROLES: dict[Permission, frozenset[Role]] = {
    Permission.JUDGED: frozenset(Role),
    Permission.MEASURED: frozenset({Role.ADMIN, Role.OFFICER, Role.TECHNICIAN}),
    Permission.ENROL: frozenset({Role.ADMIN, Role.OFFICER, Role.TECHNICIAN}),
    Permission.DECIDE: frozenset({Role.ADMIN, Role.OFFICER}),
    Permission.DISPUTE: frozenset(Role),
    Permission.TEST: frozenset({Role.ADMIN, Role.OFFICER, Role.TECHNICIAN}),
    Permission.DECLARE: frozenset({Role.ADMIN, Role.OFFICER, Role.TECHNICIAN}),
}
SIGNED: frozenset[Permission] = frozenset({Permission.DECIDE, Permission.DISPUTE})
"""Permissions that an API key never has: a decision is signed by an account."""

_API = "/api/v1"
ROUTES: dict[tuple[str, str], Permission] = {
    ("GET", "/health"): Permission.PUBLIC,
    ("GET", "/ready"): Permission.PUBLIC,
    ("GET", f"{_API}/openapi.json"): Permission.PUBLIC,
    ("POST", f"{_API}/enrolments"): Permission.PUBLIC,
    ("POST", f"{_API}/enrolment-tokens"): Permission.ENROL,
    ("GET", f"{_API}/me"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/calendar"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/calendar-entries"): Permission.JUDGED,
    ("POST", f"{_API}/organisation-units/{{unit_id}}/calendar-entries"): Permission.DECLARE,
    ("DELETE", f"{_API}/organisation-units/{{unit_id}}/calendar-entries/{{entry}}"): Permission.DECLARE,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/calendar.ics"): Permission.JUDGED,
    ("POST", f"{_API}/organisation-units/{{unit_id}}/calendar-file/preview"): Permission.DECLARE,
    ("POST", f"{_API}/organisation-units/{{unit_id}}/calendar-file/apply"): Permission.DECLARE,
    ("GET", f"{_API}/rooms/{{room_id}}/timetable"): Permission.JUDGED,
    ("PUT", f"{_API}/rooms/{{room_id}}/timetable"): Permission.DECLARE,
    ("GET", f"{_API}/tables"): Permission.JUDGED,
    ("GET", f"{_API}/rooms"): Permission.JUDGED,
    ("GET", f"{_API}/devices"): Permission.JUDGED,
    ("GET", f"{_API}/devices/{{device_id}}"): Permission.JUDGED,
    ("GET", f"{_API}/devices/{{device_id}}/measurements/latest"): Permission.MEASURED,
    ("GET", f"{_API}/devices/{{device_id}}/measurements/{{measurement}}"): Permission.MEASURED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/overview"): Permission.MEASURED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/conditions"): Permission.MEASURED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/hours/{{measurement}}/{{quantity}}"): Permission.MEASURED,
    ("GET", f"{_API}/rules"): Permission.JUDGED,
    ("GET", f"{_API}/rules/{{rule_id}}"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/verdicts"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/parameters"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/parameters/{{parameter}}"): Permission.JUDGED,
    ("POST", f"{_API}/organisation-units/{{unit_id}}/parameters/{{parameter}}/preview"): Permission.DECIDE,
    ("PUT", f"{_API}/organisation-units/{{unit_id}}/parameters/{{parameter}}"): Permission.DECIDE,
    ("GET", f"{_API}/verdicts"): Permission.JUDGED,
    ("GET", f"{_API}/verdicts/{{verdict_id}}"): Permission.JUDGED,
    ("GET", f"{_API}/subjects/{{kind}}/{{subject_id}}/verdicts"): Permission.JUDGED,
    ("GET", f"{_API}/compliance"): Permission.JUDGED,
    ("GET", f"{_API}/compliance.csv"): Permission.JUDGED,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/clauses"): Permission.JUDGED,
    ("GET", f"{_API}/clauses.csv"): Permission.JUDGED,
    ("GET", f"{_API}/waivers"): Permission.JUDGED,
    ("POST", f"{_API}/waivers"): Permission.DECIDE,
    ("POST", f"{_API}/waivers/{{waiver}}/withdrawal"): Permission.DECIDE,
    ("GET", f"{_API}/attestations"): Permission.JUDGED,
    ("POST", f"{_API}/attestations"): Permission.DECIDE,
    ("GET", f"{_API}/disputes"): Permission.JUDGED,
    ("POST", f"{_API}/disputes"): Permission.DISPUTE,
    ("POST", f"{_API}/disputes/{{dispute}}/answer"): Permission.DECIDE,
    ("GET", f"{_API}/campaigns"): Permission.JUDGED,
    ("POST", f"{_API}/campaigns"): Permission.TEST,
    ("GET", f"{_API}/campaigns/{{campaign_id}}"): Permission.JUDGED,
    ("POST", f"{_API}/campaigns/{{campaign_id}}/stop"): Permission.TEST,
    ("GET", f"{_API}/campaign-runs"): Permission.JUDGED,
    ("GET", f"{_API}/campaign-runs/{{run_id}}"): Permission.JUDGED,
    ("POST", f"{_API}/campaign-runs/{{run_id}}/stop"): Permission.TEST,
    ("GET", f"{_API}/quality"): Permission.JUDGED,
    ("GET", f"{_API}/gaps"): Permission.JUDGED,
    ("GET", f"{_API}/schools/{{unit_id}}/declared"): Permission.JUDGED,
    ("GET", f"{_API}/declared/{{kind}}/{{subject_id}}"): Permission.JUDGED,
    ("PUT", f"{_API}/declared/{{kind}}/{{subject_id}}/{{item}}"): Permission.DECLARE,
    ("POST", f"{_API}/schools/{{unit_id}}/declared-file/preview"): Permission.DECLARE,
    ("POST", f"{_API}/schools/{{unit_id}}/declared-file/apply"): Permission.DECLARE,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/attachments"): Permission.JUDGED,
    ("POST", f"{_API}/organisation-units/{{unit_id}}/attachments"): Permission.DECLARE,
    ("GET", f"{_API}/organisation-units/{{unit_id}}/attachments/{{sha256}}"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/declared"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/declared"): Permission.DECLARE,
    ("GET", "/schools/{unit_id}/declared"): Permission.JUDGED,
    ("POST", "/schools/{unit_id}/declared"): Permission.DECLARE,
    ("GET", "/schools/{unit_id}/declared/file"): Permission.DECLARE,
    ("POST", "/schools/{unit_id}/declared/file"): Permission.DECLARE,
    ("POST", "/schools/{unit_id}/declared/file/apply"): Permission.DECLARE,
    ("GET", "/schools/{unit_id}/declared/template.xlsx"): Permission.DECLARE,
    ("GET", "/static/{name}"): Permission.PUBLIC,
    ("GET", "/sign-in"): Permission.PUBLIC,
    ("POST", "/sign-in"): Permission.PUBLIC,
    ("POST", "/sign-out"): Permission.JUDGED,
    ("GET", "/"): Permission.JUDGED,
    ("GET", "/units/{unit_id}"): Permission.JUDGED,
    ("GET", "/schools/{unit_id}"): Permission.JUDGED,
    ("GET", "/rules"): Permission.JUDGED,
    ("GET", "/verdicts/{verdict_id}"): Permission.JUDGED,
    ("POST", "/verdicts/{verdict_id}/dispute"): Permission.DISPUTE,
    ("POST", "/verdicts/{verdict_id}/waiver"): Permission.DECIDE,
    ("GET", "/units/{unit_id}/decisions"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/attestation"): Permission.DECIDE,
    ("POST", "/waivers/{waiver}/withdrawal"): Permission.DECIDE,
    ("POST", "/disputes/{dispute}/answer"): Permission.DECIDE,
    ("GET", "/units/{unit_id}/campaigns"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/campaigns"): Permission.TEST,
    ("POST", "/campaigns/{campaign_id}/stop"): Permission.TEST,
    ("GET", "/runs/{run_id}"): Permission.JUDGED,
    ("POST", "/runs/{run_id}/stop"): Permission.TEST,
    ("GET", "/runs/{run_id}/report.pdf"): Permission.JUDGED,
    ("GET", "/runs/{run_id}/report.csv"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/at"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/calendar"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/calendar"): Permission.DECLARE,
    ("GET", "/units/{unit_id}/calendar.ics"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/calendar/file"): Permission.DECLARE,
    ("POST", "/units/{unit_id}/calendar/{entry}/removal"): Permission.DECLARE,
    ("POST", "/rooms/{room_id}/timetable"): Permission.DECLARE,
    ("GET", "/units/{unit_id}/parameters"): Permission.JUDGED,
    ("POST", "/units/{unit_id}/parameters"): Permission.DECIDE,
    ("GET", "/verdicts/{verdict_id}/at"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/clauses"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/gaps"): Permission.JUDGED,
    ("GET", "/units/{unit_id}/gaps.xlsx"): Permission.JUDGED,
}
"""(method, path) of every route."""
