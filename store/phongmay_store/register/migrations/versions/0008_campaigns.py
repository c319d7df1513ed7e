"""campaigns of concurrent bandwidth tests, the outbox of commands, sealed command keys"""

import sqlalchemy as sa
from alembic import op

import phongmay_store.register.base

revision = "0008"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "bandwidth_server",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_key", sa.String(), nullable=False),
        sa.Column("uplink_bps", sa.BigInteger(), nullable=False),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("valid_from", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("valid_to", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("superseded_at", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_bandwidth_server")),
    )
    op.create_index(op.f("ix_bandwidth_server_id"), "bandwidth_server", ["id"], unique=False)
    op.create_index(op.f("ix_bandwidth_server_superseded_at"), "bandwidth_server", ["superseded_at"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("schools", sa.JSON(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=True),
        sa.Column("every_days", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wake", sa.Boolean(), nullable=False),
        sa.Column("starts_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("ends_at", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.Column("failover", sa.Boolean(), nullable=False),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ordered_by", sa.String(), nullable=False),
        sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("valid_from", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("valid_to", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("superseded_at", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_campaign")),
    )
    op.create_index(op.f("ix_campaign_id"), "campaign", ["id"], unique=False)
    op.create_index(op.f("ix_campaign_superseded_at"), "campaign", ["superseded_at"], unique=False)
    op.create_index(op.f("ix_campaign_unit_id"), "campaign", ["unit_id"], unique=False)
    op.create_table(
        "campaign_participant",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("link_bps", sa.BigInteger(), nullable=True),
        sa.Column("clock_off", sa.Double(), nullable=True),
        sa.Column("clock_rtt", sa.Double(), nullable=True),
        sa.Column("start_err", sa.Double(), nullable=True),
        sa.Column("goodput_dl_srv", sa.Double(), nullable=True),
        sa.Column("goodput_ul_srv", sa.Double(), nullable=True),
        sa.Column("goodput_dl_cli", sa.Double(), nullable=True),
        sa.Column("goodput_ul_cli", sa.Double(), nullable=True),
        sa.Column("idle_p50", sa.Double(), nullable=True),
        sa.Column("idle_p95", sa.Double(), nullable=True),
        sa.Column("loaded_p50", sa.Double(), nullable=True),
        sa.Column("loaded_p95", sa.Double(), nullable=True),
        sa.Column("ping_loss", sa.Double(), nullable=True),
        sa.Column("retrans", sa.Double(), nullable=True),
        sa.Column("rwnd_limited", sa.Double(), nullable=True),
        sa.Column("nic_rx", sa.BigInteger(), nullable=True),
        sa.Column("nic_tx", sa.BigInteger(), nullable=True),
        sa.Column("own_cross_traffic", sa.Double(), nullable=True),
        sa.Column("cpu_max", sa.Double(), nullable=True),
        sa.Column("source_address", sa.String(), nullable=False),
        sa.Column("agent_version", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("bins_dl", sa.JSON(), nullable=False),
        sa.Column("bins_ul", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_campaign_participant")),
        sa.UniqueConstraint("run_id", "device_id", name=op.f("uq_campaign_participant_run_id_device_id")),
    )
    op.create_index(op.f("ix_campaign_participant_device_id"), "campaign_participant", ["device_id"], unique=False)
    op.create_index(op.f("ix_campaign_participant_room_id"), "campaign_participant", ["room_id"], unique=False)
    op.create_index(op.f("ix_campaign_participant_run_id"), "campaign_participant", ["run_id"], unique=False)
    op.create_table(
        "campaign_result",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("school_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("t_start", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False),
        sa.Column("server_cc", sa.String(), nullable=False),
        sa.Column("warmup_s", sa.Double(), nullable=False),
        sa.Column("window_s", sa.Double(), nullable=False),
        sa.Column("streams", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pace_bps", sa.Double(), nullable=False),
        sa.Column("n_registered", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n_online", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n_started", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("n_valid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("emulated_n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agg_goodput_dl", sa.Double(), nullable=True),
        sa.Column("agg_goodput_ul", sa.Double(), nullable=True),
        sa.Column("agg_ip_dl", sa.Double(), nullable=True),
        sa.Column("agg_ip_ul", sa.Double(), nullable=True),
        sa.Column("agg_client_dl", sa.Double(), nullable=True),
        sa.Column("agg_client_ul", sa.Double(), nullable=True),
        sa.Column("jain", sa.Double(), nullable=True),
        sa.Column("p10", sa.Double(), nullable=True),
        sa.Column("median", sa.Double(), nullable=True),
        sa.Column("minimum", sa.Double(), nullable=True),
        sa.Column("share_floor", sa.Double(), nullable=True),
        sa.Column("idle_p50", sa.Double(), nullable=True),
        sa.Column("idle_p95", sa.Double(), nullable=True),
        sa.Column("loaded_p50", sa.Double(), nullable=True),
        sa.Column("loaded_p95", sa.Double(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("retrans", sa.Double(), nullable=True),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("stop_reason", sa.String(), nullable=False),
        sa.Column("cross_traffic", sa.Double(), nullable=True),
        sa.Column("router_dl", sa.Double(), nullable=True),
        sa.Column("router_ul", sa.Double(), nullable=True),
        sa.Column("server_load", sa.Double(), nullable=True),
        sa.Column("directions", sa.JSON(), nullable=False),
        sa.Column("by_line", sa.JSON(), nullable=False),
        sa.Column("rooms", sa.JSON(), nullable=False),
        sa.Column("whole_room", sa.Boolean(), nullable=False),
        sa.Column("whole_school", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("cause_names", sa.JSON(), nullable=False),
        sa.Column("recorded_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_campaign_result")),
    )
    op.create_index(op.f("ix_campaign_result_school_id"), "campaign_result", ["school_id"], unique=False)
    op.create_index(op.f("ix_campaign_result_t_start"), "campaign_result", ["t_start"], unique=False)
    op.create_table(
        "campaign_run",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("school_id", sa.String(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("isp", sa.String(), nullable=False),
        sa.Column("attempt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("failover", sa.Boolean(), nullable=False),
        sa.Column("ramp_n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("rate_bps", sa.BigInteger(), nullable=False),
        sa.Column("contracted_dl", sa.BigInteger(), nullable=True),
        sa.Column("contracted_ul", sa.BigInteger(), nullable=True),
        sa.Column("floor_dl", sa.Double(), nullable=False),
        sa.Column("floor_ul", sa.Double(), nullable=False),
        sa.Column("rule_version", sa.String(), nullable=False),
        sa.Column("due_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("slot_start", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("slot_end", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("created_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_campaign_run")),
        sa.UniqueConstraint(
            "campaign_id", "school_id", "attempt", name=op.f("uq_campaign_run_campaign_id_school_id_attempt")
        ),
    )
    op.create_index(op.f("ix_campaign_run_campaign_id"), "campaign_run", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_campaign_run_due_at"), "campaign_run", ["due_at"], unique=False)
    op.create_index(op.f("ix_campaign_run_school_id"), "campaign_run", ["school_id"], unique=False)
    op.create_table(
        "campaign_step",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_campaign_step")),
        sa.UniqueConstraint("run_id", "step", name=op.f("uq_campaign_step_run_id_step")),
    )
    op.create_index(op.f("ix_campaign_step_run_id"), "campaign_step", ["run_id"], unique=False)
    op.create_table(
        "coordinator_lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_coordinator_lease")),
    )
    op.create_table(
        "outbox_command",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("created_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("expires_at", phongmay_store.register.base.UtcDateTime(), nullable=False),
        sa.Column("sent_at", phongmay_store.register.base.UtcDateTime(), nullable=True),
        sa.Column("failure", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox_command")),
        sa.UniqueConstraint("nonce", name=op.f("uq_outbox_command_nonce")),
    )
    op.create_index(op.f("ix_outbox_command_device_id"), "outbox_command", ["device_id"], unique=False)
    op.create_index(op.f("ix_outbox_command_run_id"), "outbox_command", ["run_id"], unique=False)
    op.create_index("ix_outbox_waiting", "outbox_command", ["sent_at", "failure", "expires_at"], unique=False)
    op.add_column("credential", sa.Column("command_key", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    """Take the tables back."""
    with op.batch_alter_table("credential") as table:
        table.drop_column("command_key")
    op.drop_index("ix_outbox_waiting", table_name="outbox_command")
    op.drop_index(op.f("ix_outbox_command_run_id"), table_name="outbox_command")
    op.drop_index(op.f("ix_outbox_command_device_id"), table_name="outbox_command")
    op.drop_table("outbox_command")
    op.drop_table("coordinator_lease")
    op.drop_index(op.f("ix_campaign_step_run_id"), table_name="campaign_step")
    op.drop_table("campaign_step")
    op.drop_index(op.f("ix_campaign_run_school_id"), table_name="campaign_run")
    op.drop_index(op.f("ix_campaign_run_due_at"), table_name="campaign_run")
    op.drop_index(op.f("ix_campaign_run_campaign_id"), table_name="campaign_run")
    op.drop_table("campaign_run")
    op.drop_index(op.f("ix_campaign_result_t_start"), table_name="campaign_result")
    op.drop_index(op.f("ix_campaign_result_school_id"), table_name="campaign_result")
    op.drop_table("campaign_result")
    op.drop_index(op.f("ix_campaign_participant_run_id"), table_name="campaign_participant")
    op.drop_index(op.f("ix_campaign_participant_room_id"), table_name="campaign_participant")
    op.drop_index(op.f("ix_campaign_participant_device_id"), table_name="campaign_participant")
    op.drop_table("campaign_participant")
    op.drop_index(op.f("ix_campaign_unit_id"), table_name="campaign")
    op.drop_index(op.f("ix_campaign_superseded_at"), table_name="campaign")
    op.drop_index(op.f("ix_campaign_id"), table_name="campaign")
    op.drop_table("campaign")
    op.drop_index(op.f("ix_bandwidth_server_superseded_at"), table_name="bandwidth_server")
    op.drop_index(op.f("ix_bandwidth_server_id"), table_name="bandwidth_server")
    op.drop_table("bandwidth_server")
