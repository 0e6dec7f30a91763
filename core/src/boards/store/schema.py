"""The tables of the SQLite store, and how a database is opened, checked and migrated."""

import sqlite3
import time
from pathlib import Path
from typing import Final

from boards.errors import StoreError
from boards.generations import FINAL_PHASES, PHASES

__all__ = ["APPLICATION_ID", "LIVE_PHASES", "VERSION", "connect"]

APPLICATION_ID: Final = 0x42726473
"""``Brds`` in ASCII, in the header of the file: what tells our database from others."""

LIVE_PHASES: Final = tuple(phase for phase in PHASES if phase not in FINAL_PHASES)

_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE meta (
             only INTEGER PRIMARY KEY CHECK (only = 1),
             epoch INTEGER NOT NULL
           )""",
        "INSERT INTO meta (only, epoch) VALUES (1, 0)",
        # `seq` is the order of commits: ids of one millisecond are in no order.
        """CREATE TABLE generations (
             seq INTEGER PRIMARY KEY,
             id TEXT NOT NULL UNIQUE,
             owner TEXT NOT NULL,
             generator TEXT NOT NULL,
             provider TEXT NOT NULL,
             artifact_type TEXT NOT NULL,
             phase TEXT NOT NULL,
             status TEXT NOT NULL,
             canceling INTEGER NOT NULL,
             priority INTEGER NOT NULL,
             created_at REAL NOT NULL,
             finished_at REAL,
             due_at REAL,
             dedupe_key TEXT,
             provider_job_id TEXT,
             state TEXT NOT NULL
           )""",
        # A table of its own: an UPDATE rewrites the whole row, and inputs may be megabytes.
        """CREATE TABLE inputs (
             generation INTEGER PRIMARY KEY REFERENCES generations (seq),
             input TEXT NOT NULL
           )""",
        """CREATE TABLE attempts (
             generation INTEGER NOT NULL REFERENCES generations (seq),
             number INTEGER NOT NULL,
             uuid TEXT NOT NULL,
             idempotency_key TEXT NOT NULL,
             request_digest TEXT NOT NULL,
             epoch INTEGER NOT NULL,
             intent_at REAL NOT NULL,
             token_hash TEXT,
             provider_job_id TEXT,
             job TEXT,
             outcome TEXT,
             PRIMARY KEY (generation, number)
           ) WITHOUT ROWID""",
        """CREATE TABLE events (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             generation INTEGER NOT NULL REFERENCES generations (seq),
             type TEXT NOT NULL,
             at REAL NOT NULL,
             data TEXT
           )""",
        # Each index ends in `seq`, so each lists newest first without sorting.
        "CREATE INDEX generations_by_phase ON generations (phase, owner)",
        "CREATE INDEX generations_by_generator ON generations (owner, generator)",
        "CREATE INDEX generations_by_provider ON generations (owner, provider)",
        "CREATE INDEX generations_due ON generations (due_at) WHERE due_at IS NOT NULL",
        """CREATE UNIQUE INDEX generations_by_dedupe_key ON generations (owner, dedupe_key)
             WHERE dedupe_key IS NOT NULL""",
        "CREATE INDEX events_by_generation ON events (generation)",
    ),
    (
        "CREATE INDEX attempts_by_token ON attempts (token_hash) WHERE token_hash IS NOT NULL",
        """CREATE INDEX generations_by_job ON generations (provider, provider_job_id)
             WHERE provider_job_id IS NOT NULL""",
    ),
    (
        # What each attempt costs, in micro-dollars; it outlives the generation. `estimate` is
        # null where there is no price, `actual` where the provider told nothing.
        """CREATE TABLE ledger (
             generation INTEGER NOT NULL,
             attempt INTEGER NOT NULL,
             owner TEXT NOT NULL,
             provider TEXT NOT NULL,
             generator TEXT NOT NULL,
             at REAL NOT NULL,
             hour INTEGER AS (CAST(at / 3600 AS INTEGER)),
             state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'released')),
             estimate INTEGER,
             actual INTEGER,
             closed_at REAL,
             PRIMARY KEY (generation, attempt)
           ) WITHOUT ROWID""",
        "CREATE INDEX ledger_by_time ON ledger (at)",
        # Sums of the ledger by the hour of the reservation, so that a budget is checked in no
        # time however much was spent. Triggers keep them: they cannot differ from the ledger.
        """CREATE TABLE spending (
             hour INTEGER PRIMARY KEY,
             settled INTEGER NOT NULL,
             reserved INTEGER NOT NULL
           )""",
        """CREATE TABLE owner_spending (
             owner TEXT NOT NULL,
             hour INTEGER NOT NULL,
             settled INTEGER NOT NULL,
             reserved INTEGER NOT NULL,
             PRIMARY KEY (owner, hour)
           ) WITHOUT ROWID""",
        """CREATE TRIGGER ledger_reserves AFTER INSERT ON ledger WHEN new.estimate > 0 BEGIN
             INSERT INTO spending VALUES (new.hour, 0, new.estimate)
               ON CONFLICT (hour) DO UPDATE SET reserved = reserved + excluded.reserved;
             INSERT INTO owner_spending VALUES (new.owner, new.hour, 0, new.estimate)
               ON CONFLICT (owner, hour) DO UPDATE SET reserved = reserved + excluded.reserved;
           END""",
        """CREATE TRIGGER ledger_closes AFTER UPDATE OF state ON ledger
             WHEN coalesce(new.actual, new.estimate) > 0 OR new.estimate > 0 BEGIN
             INSERT INTO spending VALUES (
                 new.hour,
                 iif(new.state = 'settled', coalesce(new.actual, new.estimate), 0),
                 -coalesce(new.estimate, 0)
               ) ON CONFLICT (hour) DO UPDATE SET
                 settled = settled + excluded.settled, reserved = reserved + excluded.reserved;
             INSERT INTO owner_spending VALUES (
                 new.owner,
                 new.hour,
                 iif(new.state = 'settled', coalesce(new.actual, new.estimate), 0),
                 -coalesce(new.estimate, 0)
               ) ON CONFLICT (owner, hour) DO UPDATE SET
                 settled = settled + excluded.settled, reserved = reserved + excluded.reserved;
           END""",
    ),
    (
        # Only requests that asked to be shared are here.
        """CREATE TABLE requests (
             owner TEXT NOT NULL,
             key TEXT NOT NULL,
             generation INTEGER NOT NULL REFERENCES generations (seq)
           )""",
        "CREATE INDEX requests_by_key ON requests (owner, key)",
    ),
    (
        # The pipeline is kept with its run: what is edited later changes no run.
        """CREATE TABLE pipeline_runs (
             seq INTEGER PRIMARY KEY,
             id TEXT NOT NULL UNIQUE,
             owner TEXT NOT NULL,
             pipeline TEXT NOT NULL,
             status TEXT NOT NULL,
             canceling INTEGER NOT NULL,
             priority INTEGER NOT NULL,
             dedupe_key TEXT,
             created_at REAL NOT NULL,
             finished_at REAL,
             document TEXT NOT NULL,
             input TEXT NOT NULL,
             outputs TEXT NOT NULL
           )""",
        # `generation` is an intent first: it is named here before it is created.
        """CREATE TABLE pipeline_steps (
             run INTEGER NOT NULL REFERENCES pipeline_runs (seq),
             position INTEGER NOT NULL,
             name TEXT NOT NULL,
             generator TEXT NOT NULL,
             needs TEXT NOT NULL,
             status TEXT NOT NULL,
             generation TEXT,
             error TEXT,
             reason TEXT NOT NULL DEFAULT '',
             PRIMARY KEY (run, position)
           ) WITHOUT ROWID""",
        "CREATE INDEX pipeline_runs_live ON pipeline_runs (seq) WHERE finished_at IS NULL",
        """CREATE UNIQUE INDEX pipeline_runs_by_dedupe_key ON pipeline_runs (owner, dedupe_key)
             WHERE dedupe_key IS NOT NULL""",
    ),
    (
        # The greatest `seq` that was pruned: the ledger has it still.
        "ALTER TABLE meta ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX requests_by_generation ON requests (generation)",
    ),
    (
        # Files that are at providers already, and until when they are used: see UploadKey.
        """CREATE TABLE uploads (
             account TEXT NOT NULL,
             sha256 TEXT NOT NULL,
             how TEXT NOT NULL,
             address TEXT NOT NULL,
             at REAL NOT NULL,
             until REAL NOT NULL,
             PRIMARY KEY (account, sha256, how)
           ) WITHOUT ROWID""",
        "CREATE INDEX uploads_by_end ON uploads (until)",
    ),
    (
        # The hash of every artifact: which generation made these bytes.
        """CREATE TABLE made (
             sha256 TEXT NOT NULL,
             owner TEXT NOT NULL,
             generation INTEGER NOT NULL,
             number INTEGER NOT NULL,
             PRIMARY KEY (sha256, owner, generation, number)
           ) WITHOUT ROWID""",
        # One row for each input that is an artifact of an earlier generation: its `parent`, whose
        # id is kept too, as `source`, because a link outlives the generation that it leads to.
        """CREATE TABLE lineage (
             child INTEGER NOT NULL REFERENCES generations (seq),
             position INTEGER NOT NULL,
             input TEXT NOT NULL,
             parent INTEGER NOT NULL,
             number INTEGER NOT NULL,
             source TEXT NOT NULL,
             PRIMARY KEY (child, position)
           ) WITHOUT ROWID""",
        "CREATE INDEX lineage_by_parent ON lineage (parent, number)",
        # What was generated before there were these tables. SQLite knows no NaN, which we may have.
        """INSERT OR IGNORE INTO made (sha256, owner, generation, number)
             SELECT json_extract(a.value, '$.sha256'), g.owner, g.seq, a.key
             FROM generations g,
               json_each(iif(json_valid(g.state), g.state, '{}'), '$.artifacts') a
             WHERE g.phase = 'succeeded'""",
        """INSERT INTO lineage (child, position, input, parent, number, source)
             SELECT child, position, input, parent, number, source FROM (
               SELECT i.generation AS child, f.id AS position, substr(f.fullkey, 3) AS input,
                 max(m.generation) AS parent, m.number, p.id AS source
               FROM inputs i JOIN generations g ON g.seq = i.generation,
                 json_tree(iif(json_valid(i.input), i.input, '{}')) f
               JOIN made m ON m.sha256 = substr(f.value, 10, 64) AND m.owner = g.owner
                 AND m.generation < i.generation
               JOIN generations p ON p.seq = m.generation AND p.finished_at <= g.created_at
               WHERE instr(i.input, '"artifact:') AND f.type = 'text'
                 AND f.value GLOB 'artifact:*'
               GROUP BY i.generation, f.id)""",
    ),
    (
        # A row that is closed may change: what was settled at the estimate is told later.
        "DROP TRIGGER ledger_closes",
        """CREATE TRIGGER ledger_closes AFTER UPDATE OF state, actual ON ledger
             WHEN coalesce(new.actual, new.estimate) > 0 OR new.estimate > 0 BEGIN
             INSERT INTO spending VALUES (
                 new.hour,
                 iif(new.state = 'settled', coalesce(new.actual, new.estimate, 0), 0)
                   - iif(old.state = 'settled', coalesce(old.actual, old.estimate, 0), 0),
                 -iif(old.state = 'reserved', coalesce(old.estimate, 0), 0)
               ) ON CONFLICT (hour) DO UPDATE SET
                 settled = settled + excluded.settled, reserved = reserved + excluded.reserved;
             INSERT INTO owner_spending VALUES (
                 new.owner,
                 new.hour,
                 iif(new.state = 'settled', coalesce(new.actual, new.estimate, 0), 0)
                   - iif(old.state = 'settled', coalesce(old.actual, old.estimate, 0), 0),
                 -iif(old.state = 'reserved', coalesce(old.estimate, 0), 0)
               ) ON CONFLICT (owner, hour) DO UPDATE SET
                 settled = settled + excluded.settled, reserved = reserved + excluded.reserved;
           END""",
    ),
)
"""What brings a database from each version to the next."""

VERSION: Final = len(_MIGRATIONS)


def connect(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """Open the database for writing, made or migrated where that is needed.

    Args:
        path: The database; its directory is made.
        busy_timeout: Seconds to wait for another process that writes.

    Raises:
        StoreError: It is of a newer version or of another program. It is left untouched.
        sqlite3.Error: It cannot be opened.
        OSError: Its directory cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        # One snapshot: another process may be making the tables.
        database.execute("BEGIN")
        version = _version(database, path)
        database.execute("ROLLBACK")
        if not version:
            # Only a file without tables can become one that shrinks.
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _set_up(database, path, busy_timeout)
        if version < VERSION:
            _migrate(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _version(database: sqlite3.Connection, path: Path) -> int:
    """The version of the schema, 0 for an empty database."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if application or version or tables:
            raise StoreError(
                f"The database {path} belongs to another program.",
                remedy="Choose another directory with BOARDS_HOME.",
            )
    if version > VERSION:
        raise StoreError(
            f"The database {path} is of version {version},"
            f" and this release of Boards knows versions up to {VERSION}.",
            remedy="Upgrade: pip install --upgrade boards-core",
        )
    return int(version)


def _set_up(database: sqlite3.Connection, path: Path, busy_timeout: float) -> None:
    mode = _switch_to_wal(database, busy_timeout)
    if mode != "wal":
        raise StoreError(
            f"The database {path} lies on a file system without shared memory (mode {mode}).",
            remedy="Choose a directory on a local disk with BOARDS_HOME.",
        )
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -16384",
        # A burst may grow the log; afterwards it shrinks again.
        "journal_size_limit = 67108864",
    ):
        database.execute(f"PRAGMA {pragma}")


def _switch_to_wal(database: sqlite3.Connection, busy_timeout: float) -> str:
    """Switch a database to the write-ahead log; the mode that it has then."""
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # Two that switch at once would wait for each other, so SQLite lets neither wait.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return str(mode)


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        for migration in _MIGRATIONS[_version(database, path) :]:
            for statement in migration:
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
