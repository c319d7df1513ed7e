BEGIN TRANSACTION;
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    payload BLOB NOT NULL, received REAL NOT NULL) STRICT;
INSERT INTO "dead_letter" VALUES(1,'t','not_json','why',X'00FF7B',1795651200.0);
CREATE TABLE envelope (
    sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    at REAL NOT NULL, basis TEXT NOT NULL, received REAL NOT NULL,
    PRIMARY KEY (sender, run, seq)) STRICT, WITHOUT ROWID;
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',0,'round',1795651170.0,'live',1795651170.0);
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',1,'round',1795651230.0,'live',1795651230.0);
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',2,'round',1795651290.0,'live',1795651290.0);
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',3,'inventory',1795651291.0,'live',1795651291.0);
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',63,'round',1795669200.0,'live',1795669200.0);
INSERT INTO "envelope" VALUES('pc-one','aaaaaaaaaaaaaaaa',64,'round',1795651205.0,'guess',1795651205.0);
INSERT INTO "envelope" VALUES('pc-two','aaaaaaaaaaaaaaaa',2,'round',1795651290.0,'live',1795651290.0);
CREATE TABLE latest (
    measurement TEXT NOT NULL, device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL,
    PRIMARY KEY (measurement, device, part)) STRICT, WITHOUT ROWID;
INSERT INTO "latest" VALUES('hardware','pc-one','',1795651291.0,'live');
INSERT INTO "latest" VALUES('reach','pc-one','internet',1795651230.0,'live');
INSERT INTO "latest" VALUES('usage','pc-one','',1795669200.0,'live');
INSERT INTO "latest" VALUES('usage','pc-two','',1795651290.0,'live');
CREATE TABLE listening (
    hour INTEGER PRIMARY KEY, minutes INTEGER NOT NULL) STRICT;
INSERT INTO "listening" VALUES(1795651200,3);
CREATE TABLE m_agent (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "uptime_s" REAL, "agent_uptime_s" REAL, "interval_s" REAL, "spool_envelopes" INTEGER, "spool_bytes" INTEGER, "spool_dropped" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_campaign (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "campaign_run" TEXT, "test_kind" TEXT, "outcome" TEXT, "reason" TEXT, "clock_offset_s" REAL, "clock_rtt_s" REAL, "start_error_s" REAL, "down_bps" REAL, "up_bps" REAL, "idle_rtt_p50_s" REAL, "idle_rtt_p95_s" REAL, "loaded_rtt_p50_s" REAL, "loaded_rtt_p95_s" REAL, "ping_loss_ratio" REAL, "interface_received_bytes" INTEGER, "interface_sent_bytes" INTEGER, "foreign_bps" REAL, "cpu_busy_max_ratio" REAL, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_disk (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "size_bytes" INTEGER, "disk_kind" TEXT, "bus" TEXT, "model" TEXT, "is_system" INTEGER, "is_removable" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_event (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "code" TEXT, "count" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_hardware (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "cpu_model" TEXT, "cpu_arch" TEXT, "cpu_bits" INTEGER, "cpu_cores" INTEGER, "cpu_threads" INTEGER, "memory_bytes" INTEGER, "memory_installed_bytes" INTEGER, "memory_slots" INTEGER, "memory_slots_used" INTEGER, "machine_vendor" TEXT, "machine_model" TEXT, "board_vendor" TEXT, "board_model" TEXT, "firmware_vendor" TEXT, "firmware_version" TEXT, "firmware_date" TEXT, "os_family" TEXT, "os_id" TEXT, "os_version" TEXT, "os_name" TEXT, "os_build" TEXT, "fingerprint" TEXT, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
INSERT INTO "m_hardware" VALUES('pc-one','',1795651291.0,'live','pc-one','aaaaaaaaaaaaaaaa',3,NULL,NULL,NULL,4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'debian',NULL,NULL,NULL,NULL);
CREATE TABLE m_link (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "is_up" INTEGER, "speed_bps" INTEGER, "duplex" TEXT, "medium" TEXT, "is_default_route" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_probe (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "ok" INTEGER, "took_s" REAL, "error" TEXT, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_reach (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "ok" INTEGER, "took_s" REAL, "method" TEXT, "error" TEXT, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
INSERT INTO "m_reach" VALUES('pc-one','internet',1795651170.0,'live','pc-one','aaaaaaaaaaaaaaaa',0,1,0.5,NULL,NULL);
INSERT INTO "m_reach" VALUES('pc-one','internet',1795651230.0,'live','pc-one','aaaaaaaaaaaaaaaa',1,0,0.5,NULL,NULL);
CREATE TABLE m_router (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "uptime_s" REAL, "is_up" INTEGER, "speed_bps" INTEGER, "received_bytes" INTEGER, "sent_bytes" INTEGER, "discontinuity_s" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_traffic (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "received_bytes" INTEGER, "sent_bytes" INTEGER, "received_packets" INTEGER, "sent_packets" INTEGER, "receive_errors" INTEGER, "send_errors" INTEGER, "receive_drops" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
CREATE TABLE m_usage (device TEXT NOT NULL, part TEXT NOT NULL, at REAL NOT NULL, basis TEXT NOT NULL, sender TEXT NOT NULL, run TEXT NOT NULL, seq INTEGER NOT NULL, "cpu_busy_ratio" REAL, "memory_available_bytes" INTEGER, "memory_used_bytes" INTEGER, "swap_used_bytes" INTEGER, "system_volume_bytes" INTEGER, "system_volume_free_bytes" INTEGER, "disk_read_bytes" INTEGER, "disk_written_bytes" INTEGER, PRIMARY KEY (device, part, at)) STRICT, WITHOUT ROWID;
INSERT INTO "m_usage" VALUES('pc-one','',1795651170.0,'live','pc-one','aaaaaaaaaaaaaaaa',0,0.0,NULL,1,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "m_usage" VALUES('pc-one','',1795651205.0,'guess','pc-one','aaaaaaaaaaaaaaaa',64,0.25,NULL,7,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "m_usage" VALUES('pc-one','',1795651230.0,'live','pc-one','aaaaaaaaaaaaaaaa',1,1.0,NULL,2,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "m_usage" VALUES('pc-one','',1795651290.0,'live','pc-one','aaaaaaaaaaaaaaaa',2,0.5,NULL,3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "m_usage" VALUES('pc-one','',1795669200.0,'live','pc-one','aaaaaaaaaaaaaaaa',63,0.25,NULL,9,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "m_usage" VALUES('pc-two','',1795651290.0,'live','pc-two','aaaaaaaaaaaaaaaa',2,0.25,NULL,4,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE minutes (
    device TEXT NOT NULL, hour INTEGER NOT NULL,
    seen INTEGER NOT NULL, reachable INTEGER NOT NULL, unreachable INTEGER NOT NULL,
    PRIMARY KEY (device, hour)) STRICT, WITHOUT ROWID;
INSERT INTO "minutes" VALUES('pc-one',1795647600,576460752303423488,576460752303423488,0);
INSERT INTO "minutes" VALUES('pc-one',1795651200,3,0,1);
INSERT INTO "minutes" VALUES('pc-one',1795669200,1,0,0);
INSERT INTO "minutes" VALUES('pc-two',1795651200,2,0,0);
CREATE TABLE odd_name (
    oddity TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (oddity, name)) STRICT, WITHOUT ROWID;
INSERT INTO "odd_name" VALUES('out_of_range','usage.cpu_busy_ratio',1);
INSERT INTO "odd_name" VALUES('unknown','usage.new',1);
CREATE TABLE out_of_range (
    device TEXT PRIMARY KEY, last_at REAL NOT NULL, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "out_of_range" VALUES('pc-one',1795669200.0,1);
CREATE TABLE presence (
    device TEXT PRIMARY KEY, state TEXT NOT NULL, session TEXT NOT NULL, run TEXT NOT NULL,
    since REAL NOT NULL, last_seen REAL NOT NULL, agent TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "presence" VALUES('pc-one','online','ssssssssssssssss','aaaaaaaaaaaaaaaa',1795651200.0,1795651290.0,'0.1');
CREATE TABLE run_offset (
    device TEXT NOT NULL, run TEXT NOT NULL, offset_s REAL NOT NULL, basis TEXT NOT NULL,
    PRIMARY KEY (device, run)) STRICT, WITHOUT ROWID;
INSERT INTO "run_offset" VALUES('pc-one','aaaaaaaaaaaaaaaa',1.5,'live');
CREATE INDEX minutes_by_hour ON minutes (hour);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('dead_letter',1);
COMMIT;
