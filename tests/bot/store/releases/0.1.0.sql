BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'whimbrel','m001_inbox','2026-11-28 04:56:01.783369+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'whimbrel','m002_turns','2026-11-28 04:56:01.784122+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'whimbrel','m003_votes','2026-11-28 04:56:01.784595+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'whimbrel','m004_channels','2026-11-28 04:56:01.784774+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'whimbrel','m005_asking','2026-11-28 04:56:01.785081+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'whimbrel','m006_cards','2026-11-28 04:56:01.785366+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'whimbrel','m007_feedback','2026-11-28 04:56:01.786438+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'whimbrel','m008_admin','2026-11-28 04:56:01.786587+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'whimbrel','m009_export','2026-11-28 04:56:01.787308+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'whimbrel','m010_privacy','2026-11-28 04:56:01.787588+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'whimbrel','m011_trials','2026-11-28 04:56:01.788771+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'whimbrel','m012_payload_versions','2026-11-28 04:56:01.789049+00:00');
CREATE TABLE cards (turn_id TEXT PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE, answer TEXT NOT NULL);
INSERT INTO "cards" VALUES('41a4e678f45c','{"id":"41a4e678f45c","question":"How many days of paid leave do I have? Ask @U0GRACE1.","query":"How many days of paid leave do I have? Ask @U0GRACE1.","kind":"answer","text":"Every employee has 30 days of paid leave a year. [1]","language":"en","confidence":0.75,"citations":[{"number":1,"passage":{"id":"1ee2bcfcfbda","source":{"id":"handbook/Leave.md","title":"Leave","path":"handbook/Leave.md","language":"en","sha256":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Leave","audience":"public","owner":null},"text":"Every employee has 30 days of paid leave a year.","start":0,"end":48,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60"},"quote":"Every employee has 30 days of paid leave a year.","support":1.0}],"nearest":[],"hits":[{"passage":{"id":"1ee2bcfcfbda","source":{"id":"handbook/Leave.md","title":"Leave","path":"handbook/Leave.md","language":"en","sha256":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Leave","audience":"public","owner":null},"text":"Every employee has 30 days of paid leave a year.","start":0,"end":48,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60"},"score":3.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"8643e4ebc9d2","source":{"id":"handbook/Printer.md","title":"Printer","path":"handbook/Printer.md","language":"en","sha256":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Printer","audience":"public","owner":null},"text":"The printer on floor 2 is called Heron.","start":0,"end":39,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"d1b2f72b4cdf","source":{"id":"handbook/年假.md","title":"年假","path":"handbook/年假.md","language":"zh","sha256":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/年假","audience":"public","owner":null},"text":"每位员工每年有三十天带薪年假。","start":0,"end":15,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null}],"method":"extracted","prompt_version":"p1","generator":"sentences","embedder":"words","judge":"","reranker":"","generation":"g1","stopped":false,"timings":{"total":0.001},"author":null,"searched":0,"trial":"","arm":"served","share":0.0}');
INSERT INTO "cards" VALUES('12b783581dc7','{"id":"12b783581dc7","question":"Who won the cup?","query":"Who won the cup?","kind":"abstention","text":"I did not find that.","language":"en","confidence":0.0,"citations":[],"nearest":[],"hits":[{"passage":{"id":"1ee2bcfcfbda","source":{"id":"handbook/Leave.md","title":"Leave","path":"handbook/Leave.md","language":"en","sha256":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Leave","audience":"public","owner":null},"text":"Every employee has 30 days of paid leave a year.","start":0,"end":48,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"8643e4ebc9d2","source":{"id":"handbook/Printer.md","title":"Printer","path":"handbook/Printer.md","language":"en","sha256":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Printer","audience":"public","owner":null},"text":"The printer on floor 2 is called Heron.","start":0,"end":39,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"d1b2f72b4cdf","source":{"id":"handbook/年假.md","title":"年假","path":"handbook/年假.md","language":"zh","sha256":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/年假","audience":"public","owner":null},"text":"每位员工每年有三十天带薪年假。","start":0,"end":15,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null}],"method":"none","prompt_version":"p1","generator":"sentences","embedder":"words","judge":"","reranker":"","generation":"g1","stopped":false,"timings":{"total":0.001},"author":null,"searched":0,"trial":"","arm":"served","share":0.0}');
INSERT INTO "cards" VALUES('0dc665b01cb7','{"id":"0dc665b01cb7","question":"Where is the printer?","query":"Where is the printer?","kind":"answer","text":"The printer on floor 2 is called Heron. [1]","language":"en","confidence":0.5,"citations":[{"number":1,"passage":{"id":"8643e4ebc9d2","source":{"id":"handbook/Printer.md","title":"Printer","path":"handbook/Printer.md","language":"en","sha256":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Printer","audience":"public","owner":null},"text":"The printer on floor 2 is called Heron.","start":0,"end":39,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2"},"quote":"The printer on floor 2 is called Heron.","support":1.0}],"nearest":[],"hits":[{"passage":{"id":"8643e4ebc9d2","source":{"id":"handbook/Printer.md","title":"Printer","path":"handbook/Printer.md","language":"en","sha256":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Printer","audience":"public","owner":null},"text":"The printer on floor 2 is called Heron.","start":0,"end":39,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2"},"score":1.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"1ee2bcfcfbda","source":{"id":"handbook/Leave.md","title":"Leave","path":"handbook/Leave.md","language":"en","sha256":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/Leave","audience":"public","owner":null},"text":"Every employee has 30 days of paid leave a year.","start":0,"end":48,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null},{"passage":{"id":"d1b2f72b4cdf","source":{"id":"handbook/年假.md","title":"年假","path":"handbook/年假.md","language":"zh","sha256":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744","modified":"2026-01-01T00:00:00+00:00","url":"https://docs.example/年假","audience":"public","owner":null},"text":"每位员工每年有三十天带薪年假。","start":0,"end":15,"headings":["Rules"],"page":3,"anchor":null,"content_hash":"d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744"},"score":0.0,"dense":null,"lexical":null,"dense_rank":null,"lexical_rank":null,"reranker":null}],"method":"extracted","prompt_version":"p1","generator":"sentences","embedder":"words","judge":"","reranker":"","generation":"g1","stopped":false,"timings":{"total":0.001},"author":null,"searched":0,"trial":"","arm":"served","share":0.0}');
CREATE TABLE "channels" (
   "channel" TEXT PRIMARY KEY,
   "config" TEXT,
   "changed_by" TEXT,
   "changed" REAL
);
INSERT INTO "channels" VALUES('C1','{"mode": "mentions", "followups": "asker", "sources": [], "language": "auto", "visibility": "thread", "threshold": null, "buttons": true, "trials": true, "experts": ["U0GRACE1", "U9"], "muted_until": 0.0}','U0GRACE1',1.79584176193539118765e+09);
CREATE TABLE "curated" (
   "id" INTEGER PRIMARY KEY,
   "review_id" INTEGER,
   "turn_id" TEXT,
   "question" TEXT NOT NULL,
   "language" TEXT,
   "answer" TEXT NOT NULL,
   "document_id" TEXT,
   "content_hash" TEXT,
   "audience" TEXT NOT NULL,
   "author" TEXT,
   "author_name" TEXT,
   "reviewer" TEXT,
   "embedder" TEXT,
   "vector" BLOB,
   "created" TEXT,
   "expired" TEXT
);
INSERT INTO "curated" VALUES(1,1,'41a4e678f45c','How many days of paid leave do I have? Ask @U0GRACE1.','en','31 days.',NULL,NULL,'["public"]','U0GRACE1',NULL,'U0GRACE1','words',X'ED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BED34433BC3079A3EED34433BED34433BED34433BED34433BED34433B','2026-11-28T04:56:01+00:00',NULL);
CREATE TABLE "dataset_sources" (
   "dataset" TEXT,
   "example" TEXT,
   "turn_id" TEXT,
   "person" TEXT,
   PRIMARY KEY ("dataset", "example", "turn_id", "person")
);
CREATE TABLE "datasets" (
   "id" TEXT PRIMARY KEY,
   "at" TEXT
);
CREATE TABLE escalations (turn_id TEXT PRIMARY KEY REFERENCES turns(id) ON DELETE CASCADE, person TEXT, ts TEXT, at TEXT);
CREATE TABLE "fixes" (
   "turn_id" TEXT PRIMARY KEY,
   "curated_id" INTEGER,
   "answer" TEXT,
   "generator" TEXT,
   "generation" TEXT,
   "at" TEXT
);
INSERT INTO "fixes" VALUES('41a4e678f45c',1,'31 days.','','','2026-11-28T04:56:01+00:00');
CREATE TABLE "held_out" (
   "key" TEXT PRIMARY KEY,
   "question" TEXT,
   "at" TEXT
);
CREATE TABLE "held_out_askers" (
   "key" TEXT,
   "person" TEXT,
   PRIMARY KEY ("key", "person")
);
CREATE TABLE "hits" (
   "turn_id" TEXT REFERENCES "turns"("id"),
   "position" INTEGER,
   "passage_id" TEXT,
   "document_id" TEXT,
   "content_hash" TEXT,
   "score" REAL,
   "dense" REAL,
   "dense_rank" INTEGER,
   "lexical" REAL,
   "lexical_rank" INTEGER,
   "reranker" REAL,
   "shown" INTEGER,
   PRIMARY KEY ("turn_id", "position")
);
INSERT INTO "hits" VALUES('41a4e678f45c',1,'1ee2bcfcfbda','handbook/Leave.md','1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60',3.0,NULL,NULL,NULL,NULL,NULL,1);
INSERT INTO "hits" VALUES('41a4e678f45c',2,'8643e4ebc9d2','handbook/Printer.md','8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('41a4e678f45c',3,'d1b2f72b4cdf','handbook/年假.md','d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('12b783581dc7',1,'1ee2bcfcfbda','handbook/Leave.md','1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('12b783581dc7',2,'8643e4ebc9d2','handbook/Printer.md','8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('12b783581dc7',3,'d1b2f72b4cdf','handbook/年假.md','d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('0dc665b01cb7',1,'8643e4ebc9d2','handbook/Printer.md','8643e4ebc9d2da8e48be56a863fc54c1ab7463b4836f3b89b393dedfc4a9bcc2',1.0,NULL,NULL,NULL,NULL,NULL,1);
INSERT INTO "hits" VALUES('0dc665b01cb7',2,'1ee2bcfcfbda','handbook/Leave.md','1ee2bcfcfbdae8354f92b11bca43d3c28d0eaa37ca0ab01c8f0c14460521fa60',0.0,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "hits" VALUES('0dc665b01cb7',3,'d1b2f72b4cdf','handbook/年假.md','d1b2f72b4cdfd89ee04501f4fdd1c01da280932790d6385b31d71f1134dba744',0.0,NULL,NULL,NULL,NULL,NULL,0);
CREATE TABLE "imported_passages" (
   "content_hash" TEXT PRIMARY KEY,
   "document_id" TEXT,
   "title" TEXT,
   "text" TEXT
);
CREATE TABLE "imported_ratings" (
   "turn_id" TEXT,
   "person" TEXT,
   "is_expert" INTEGER,
   "reason" TEXT,
   "text" TEXT,
   PRIMARY KEY ("turn_id", "person")
);
CREATE TABLE "imports" (
   "turn_id" TEXT PRIMARY KEY,
   "split" TEXT,
   "is_consented" INTEGER,
   "correction" TEXT,
   "is_gold" INTEGER
);
CREATE TABLE "inbox" (
   "id" INTEGER PRIMARY KEY,
   "event_id" TEXT NOT NULL,
   "work_key" TEXT,
   "kind" TEXT NOT NULL,
   "team" TEXT,
   "channel" TEXT,
   "thread_key" TEXT NOT NULL,
   "user" TEXT,
   "payload" TEXT NOT NULL,
   "state" TEXT NOT NULL,
   "attempts" INTEGER NOT NULL DEFAULT 0,
   "forgiven" INTEGER DEFAULT 0,
   "not_before" REAL DEFAULT 0,
   "owner" TEXT,
   "lease_until" REAL DEFAULT 0,
   "reply_channel" TEXT,
   "reply_ts" TEXT,
   "error" TEXT,
   "created" REAL NOT NULL
, "version" INTEGER NOT NULL DEFAULT 1);
INSERT INTO "inbox" VALUES(1,'Ev1','T1:C1:1.1','question','T1','C1','T1:C1:1.1','U2','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179187285208705e+09,'C1','1700000000.000002',NULL,1.79584176186346292491e+09,1);
INSERT INTO "inbox" VALUES(2,'gesture:vote2',NULL,'vote','T1','C1','vote:U0GRACE1','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179187883257863e+09,NULL,NULL,NULL,1.79584176187820553777e+09,1);
INSERT INTO "inbox" VALUES(3,'gesture:s3',NULL,'review','T1','','review:U0GRACE1','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179188505268101e+09,NULL,NULL,NULL,1.79584176188409900664e+09,1);
INSERT INTO "inbox" VALUES(4,'Ev4','T1:C1:1.4','question','T1','C1','T1:C1:1.4','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179189313936238e+09,'C1','1700000000.000007',NULL,1.79584176188763022428e+09,1);
INSERT INTO "inbox" VALUES(5,'Re5',NULL,'vote','T1','C1','vote:U2','U2','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179189795613285e+09,NULL,NULL,NULL,1.79584176189726018907e+09,1);
INSERT INTO "inbox" VALUES(6,'Re6',NULL,'review','T1','C1','review:U2','U2','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179190285253523e+09,NULL,NULL,NULL,1.7958417619021966457e+09,1);
INSERT INTO "inbox" VALUES(7,'gesture:h7',NULL,'review','T1','','review:U0GRACE1','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179190844106673e+09,NULL,NULL,NULL,1.79584176190778017044e+09,1);
INSERT INTO "inbox" VALUES(8,'fixed:52c7d86ff09fe0d1610fca3d',NULL,'home','T1','','home:U0GRACE1','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.79584179192214274411e+09,NULL,NULL,NULL,1.79584176192155098913e+09,1);
INSERT INTO "inbox" VALUES(9,'gesture:h8',NULL,'home','T1','','home:U0GRACE1','U0GRACE1','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.7958417919305701256e+09,NULL,NULL,NULL,1.79584176192977070809e+09,1);
INSERT INTO "inbox" VALUES(10,'Ev9','T1:C1:1.9','question','T1','C1','T1:C1:1.9','U0GRACE12','{}','done',1,0,0.0,'vm:15185:35d9f3c4',1.7958417919454028606e+09,'C1','1700000000.000016',NULL,1.79584176193803882592e+09,1);
CREATE TABLE "mutes_told" (
   "channel" TEXT,
   "person" TEXT,
   "until" REAL,
   "event_id" TEXT,
   PRIMARY KEY ("channel", "person", "until")
);
CREATE TABLE "notices" (
   "turn_id" TEXT,
   "person" TEXT,
   "kind" TEXT,
   "at" TEXT,
   PRIMARY KEY ("turn_id", "person", "kind")
);
INSERT INTO "notices" VALUES('12b783581dc7','U2','why','2026-11-28T04:56:01+00:00');
INSERT INTO "notices" VALUES('41a4e678f45c','U0GRACE1','fixed','2026-11-28T04:56:01+00:00');
CREATE TABLE "people" (
   "person" TEXT PRIMARY KEY,
   "may_learn" INTEGER,
   "notify" INTEGER,
   "changed" TEXT
);
INSERT INTO "people" VALUES('U0GRACE1',1,NULL,'2026-11-28T04:56:01+00:00');
CREATE TABLE "reactions" (
   "turn_id" TEXT,
   "voter" TEXT,
   "value" INTEGER,
   "is_on" INTEGER,
   "at" REAL,
   PRIMARY KEY ("turn_id", "voter", "value")
);
INSERT INTO "reactions" VALUES('12b783581dc7','U2',-1,1,1.70000000100000095374e+09);
CREATE TABLE "reasons" (
   "turn_id" TEXT,
   "person" TEXT,
   "reason" TEXT,
   "answer" TEXT,
   "document_id" TEXT,
   "content_hash" TEXT,
   "document_name" TEXT,
   "event_id" TEXT,
   "at" TEXT,
   PRIMARY KEY ("turn_id", "person")
);
INSERT INTO "reasons" VALUES('41a4e678f45c','U0GRACE1','wrong','31 days.',NULL,NULL,'','gesture:s3','2026-11-28T04:56:01+00:00');
CREATE TABLE "rechecks" (
   "turn_id" TEXT,
   "generator" TEXT,
   "generation" TEXT,
   "at" TEXT,
   PRIMARY KEY ("turn_id", "generator", "generation")
);
CREATE TABLE "replies" (
   "channel" TEXT,
   "ts" TEXT,
   "turn_id" TEXT REFERENCES "turns"("id"),
   PRIMARY KEY ("channel", "ts")
);
INSERT INTO "replies" VALUES('C1','1700000000.000002','41a4e678f45c');
INSERT INTO "replies" VALUES('C1','1700000000.000007','12b783581dc7');
INSERT INTO "replies" VALUES('C1','1700000000.000016','0dc665b01cb7');
CREATE TABLE "reviews" (
   "id" INTEGER PRIMARY KEY,
   "event_id" TEXT NOT NULL,
   "turn_id" TEXT,
   "source" TEXT,
   "question" TEXT NOT NULL,
   "language" TEXT,
   "answer" TEXT NOT NULL,
   "document_id" TEXT,
   "content_hash" TEXT,
   "document_name" TEXT,
   "audience" TEXT NOT NULL,
   "channel" TEXT,
   "author" TEXT,
   "proposer" TEXT,
   "state" TEXT NOT NULL,
   "created" TEXT,
   "reviewer" TEXT,
   "decided_by_event" TEXT,
   "decided" TEXT
);
INSERT INTO "reviews" VALUES(1,'correction:52c7d86ff09fe0d1610fca3d','41a4e678f45c','correction','How many days of paid leave do I have? Ask @U0GRACE1.','en','31 days.',NULL,NULL,'','["public"]','C1','U0GRACE1','U0GRACE1','approved','2026-11-28T04:56:01+00:00','U0GRACE1','gesture:h7','2026-11-28T04:56:01+00:00');
CREATE TABLE "rollbacks" (
   "event_id" TEXT PRIMARY KEY,
   "at" TEXT,
   "before" TEXT,
   "after" TEXT
);
CREATE TABLE shadows (turn_id TEXT REFERENCES turns(id) ON DELETE CASCADE, trial TEXT NOT NULL, kind TEXT NOT NULL, answer TEXT, confidence REAL, is_cited INTEGER, overlap REAL, seconds REAL, at TEXT, PRIMARY KEY (turn_id, trial));
CREATE TABLE "signals" (
   "event_id" TEXT,
   "kind" TEXT,
   "turn_id" TEXT,
   "person" TEXT,
   "at" TEXT,
   PRIMARY KEY ("event_id", "kind")
);
INSERT INTO "signals" VALUES('EvS','shared','41a4e678f45c','U0GRACE1','2026-11-28T04:56:01+00:00');
CREATE TABLE "stops" (
   "channel" TEXT,
   "thread_ts" TEXT,
   PRIMARY KEY ("channel", "thread_ts")
);
CREATE TABLE "takeovers" (
   "channel" TEXT,
   "thread_ts" TEXT,
   "person" TEXT,
   "at" REAL,
   PRIMARY KEY ("channel", "thread_ts")
);
CREATE TABLE "turns" (
   "id" TEXT PRIMARY KEY,
   "event_id" TEXT,
   "team" TEXT,
   "channel" TEXT,
   "thread_ts" TEXT,
   "asker" TEXT,
   "audience" TEXT,
   "language" TEXT,
   "question" TEXT,
   "query" TEXT,
   "kind" TEXT,
   "answer" TEXT,
   "confidence" REAL,
   "method" TEXT,
   "citations" TEXT,
   "prompt_version" TEXT,
   "generator" TEXT,
   "embedder" TEXT,
   "generation" TEXT,
   "timings" TEXT,
   "reply_ts" TEXT,
   "created" TEXT
, "deleted" TEXT, "is_private" INTEGER, "judge" TEXT, "reranker" TEXT, "triage" TEXT, "trial" TEXT, "arm" TEXT, "share" REAL);
INSERT INTO "turns" VALUES('41a4e678f45c','Ev1','T1','C1','1.1','U2','["public"]','en','How many days of paid leave do I have? Ask @U0GRACE1.','How many days of paid leave do I have? Ask @U0GRACE1.','answer','Every employee has 30 days of paid leave a year. [1]',0.75,'extracted','[{"number": 1, "passage_id": "1ee2bcfcfbda", "document_id": "handbook/Leave.md", "quote": "Every employee has 30 days of paid leave a year.", "support": 1.0}]','p1','sentences','words','g1','{"total": 0.001}','1700000000.000002','2026-11-28T04:56:01+00:00',NULL,0,'','','',NULL,'served',0.0);
INSERT INTO "turns" VALUES('12b783581dc7','Ev4','T1','C1','1.4','U0GRACE1','["public"]','en','Who won the cup?','Who won the cup?','abstention','I did not find that.',0.0,'none','[]','p1','sentences','words','g1','{"total": 0.001}','1700000000.000007','2026-11-28T04:56:01+00:00',NULL,0,'','','',NULL,'served',0.0);
INSERT INTO "turns" VALUES('0dc665b01cb7','Ev9','T1','C1','1.9','U0GRACE12','["public"]','en','Where is the printer?','Where is the printer?','answer','The printer on floor 2 is called Heron. [1]',0.5,'extracted','[{"number": 1, "passage_id": "8643e4ebc9d2", "document_id": "handbook/Printer.md", "quote": "The printer on floor 2 is called Heron.", "support": 1.0}]','p1','sentences','words','g1','{"total": 0.001}','1700000000.000016','2026-11-28T04:56:01+00:00',NULL,0,'','','',NULL,'served',0.0);
CREATE TABLE "vote_events" (
   "id" INTEGER PRIMARY KEY,
   "event_id" TEXT,
   "turn_id" TEXT REFERENCES "turns"("id"),
   "voter" TEXT,
   "value" INTEGER,
   "is_withdrawn" INTEGER,
   "source" TEXT,
   "at" TEXT,
   "generator" TEXT,
   "embedder" TEXT,
   "generation" TEXT
);
INSERT INTO "vote_events" VALUES(1,'gesture:vote2','41a4e678f45c','U0GRACE1',-1,0,'button','2026-11-28T04:56:01+00:00','sentences','words','g1');
INSERT INTO "vote_events" VALUES(2,'Re5','12b783581dc7','U2',-1,0,'reaction','2026-11-28T04:56:01+00:00','sentences','words','g1');
CREATE TABLE "votes" (
   "turn_id" TEXT REFERENCES "turns"("id"),
   "voter" TEXT,
   "value" INTEGER,
   "source" TEXT,
   "at" TEXT,
   PRIMARY KEY ("turn_id", "voter")
);
INSERT INTO "votes" VALUES('41a4e678f45c','U0GRACE1',-1,'button','2026-11-28T04:56:01+00:00');
INSERT INTO "votes" VALUES('12b783581dc7','U2',-1,'reaction','2026-11-28T04:56:01+00:00');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX "idx_inbox_event_id"
    ON "inbox" ("event_id");
CREATE UNIQUE INDEX "idx_inbox_work_key"
    ON "inbox" ("work_key");
CREATE INDEX "idx_inbox_state_kind"
    ON "inbox" ("state", "kind");
CREATE INDEX "idx_inbox_thread_key_state"
    ON "inbox" ("thread_key", "state");
CREATE UNIQUE INDEX "idx_turns_event_id"
    ON "turns" ("event_id");
CREATE INDEX "idx_turns_channel_thread_ts"
    ON "turns" ("channel", "thread_ts");
CREATE INDEX "idx_signals_turn_id"
    ON "signals" ("turn_id");
CREATE UNIQUE INDEX "idx_reviews_event_id"
    ON "reviews" ("event_id");
CREATE INDEX "idx_reviews_state"
    ON "reviews" ("state");
CREATE UNIQUE INDEX "idx_curated_review_id"
    ON "curated" ("review_id");
CREATE INDEX "idx_dataset_sources_person"
    ON "dataset_sources" ("person");
CREATE INDEX "idx_turns_trial_arm"
    ON "turns" ("trial", "arm");
COMMIT;
