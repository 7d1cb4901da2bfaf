CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT;

-- Every text that repeats, once: tenants, providers, models, routes, names of enums, sets of tags as JSON.
-- Columns that hold one of these ids are marked "name". In rollups 0 stands for none.
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

-- One row per call. Times in microseconds (started: since the Unix epoch), money in nano-USD.
-- A rowid table, so that rows are appended whatever their tenants and ids: only the index is in order.
CREATE TABLE calls (
    tenant INTEGER NOT NULL,           -- name
    id BLOB NOT NULL,                  -- UUIDv7, 16 bytes
    started INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,         -- name
    dialect INTEGER NOT NULL,          -- name
    streamed INTEGER NOT NULL,
    requested_model INTEGER NOT NULL,  -- name
    route INTEGER,                     -- name
    user TEXT,
    session TEXT,
    tags INTEGER,                      -- name: [["feature","search"],["market","nl"]]
    outcome INTEGER NOT NULL,          -- name
    code INTEGER,                      -- name
    status INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    reply_bytes INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    first_token_us INTEGER,
    stages BLOB NOT NULL,              -- LEB128: decode, identify, admit, plan, attempt, settle
    losses TEXT,                       -- JSON array of texts
    attempts INTEGER NOT NULL,
    provider INTEGER,                  -- name: of the attempt that answered or failed last
    model INTEGER,                     -- name: likewise
    input_tokens INTEGER NOT NULL,     -- tokens and money: sums over the attempts
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost INTEGER,
    charged INTEGER,
    -- What the call's only attempt says beyond the call. All null where the attempts stand in `attempts`: those of a call
    -- with several, and one that ended otherwise than its call or metered audio or writes to an hour's cache. To read
    -- attempts wherever they stand: `call_attempts`.
    attempt_after_us INTEGER,          -- from the call's start to the attempt's
    attempt_us INTEGER,                -- its duration; not null where the attempt stands here
    first_byte_us INTEGER,
    attempt_dialect INTEGER,           -- name
    served_model INTEGER,              -- name
    provider_id TEXT,
    finish INTEGER,                    -- name
    usage_source INTEGER,              -- 0 provider, 1 estimate, 2 none
    cost_status INTEGER,               -- name
    bound INTEGER,
    UNIQUE (tenant, id)
) STRICT;

CREATE TABLE attempts (
    tenant INTEGER NOT NULL,           -- name
    call BLOB NOT NULL,
    number INTEGER NOT NULL,
    provider INTEGER NOT NULL,         -- name
    model INTEGER NOT NULL,            -- name
    dialect INTEGER NOT NULL,          -- name
    started INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    first_byte_us INTEGER,
    status INTEGER,
    outcome INTEGER NOT NULL,          -- name
    code INTEGER,                      -- name
    served_model INTEGER,              -- name
    provider_id TEXT,
    finish INTEGER,                    -- name
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    usage_source INTEGER NOT NULL,     -- 0 provider, 1 estimate, 2 none
    cost INTEGER,
    cost_status INTEGER NOT NULL,      -- name
    bound INTEGER,
    charged INTEGER,
    PRIMARY KEY (tenant, call, number)
) WITHOUT ROWID, STRICT;

-- One row per attempt, wherever it stands, with the columns of `attempts`.
CREATE VIEW call_attempts AS
SELECT tenant, id AS call, 1 AS number, provider, model, attempt_dialect AS dialect,
    started + attempt_after_us AS started, attempt_us AS duration_us, first_byte_us, status, outcome, code,
    served_model, provider_id, finish, input_tokens, cache_read_tokens, cache_write_tokens AS cache_write_5m_tokens,
    0 AS cache_write_1h_tokens, 0 AS input_audio_tokens, output_tokens, reasoning_tokens, 0 AS output_audio_tokens,
    usage_source, cost, cost_status, bound, charged
FROM calls WHERE attempt_us IS NOT NULL
UNION ALL
SELECT tenant, call, number, provider, model, dialect, started, duration_us, first_byte_us, status, outcome, code,
    served_model, provider_id, finish, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens,
    usage_source, cost, cost_status, bound, charged
FROM attempts;

-- Sums by minute, hour and day (UTC); start in minutes since the Unix epoch; sketches are HdrHistogram V2.
CREATE TABLE rollup_minute (
    tenant INTEGER NOT NULL, start INTEGER NOT NULL, provider INTEGER NOT NULL, model INTEGER NOT NULL,
    route INTEGER NOT NULL, requested_model INTEGER NOT NULL, endpoint INTEGER NOT NULL, dialect INTEGER NOT NULL,
    outcome INTEGER NOT NULL, tags INTEGER NOT NULL,
    calls INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL, charged INTEGER NOT NULL, unpriced INTEGER NOT NULL,
    latency BLOB, first_token BLOB,
    PRIMARY KEY (tenant, start, provider, model, route, requested_model, endpoint, dialect, outcome, tags)
) WITHOUT ROWID, STRICT;

CREATE TABLE rollup_hour (
    tenant INTEGER NOT NULL, start INTEGER NOT NULL, provider INTEGER NOT NULL, model INTEGER NOT NULL,
    route INTEGER NOT NULL, requested_model INTEGER NOT NULL, endpoint INTEGER NOT NULL, dialect INTEGER NOT NULL,
    outcome INTEGER NOT NULL, tags INTEGER NOT NULL,
    calls INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL, charged INTEGER NOT NULL, unpriced INTEGER NOT NULL,
    latency BLOB, first_token BLOB,
    PRIMARY KEY (tenant, start, provider, model, route, requested_model, endpoint, dialect, outcome, tags)
) WITHOUT ROWID, STRICT;

CREATE TABLE rollup_day (
    tenant INTEGER NOT NULL, start INTEGER NOT NULL, provider INTEGER NOT NULL, model INTEGER NOT NULL,
    route INTEGER NOT NULL, requested_model INTEGER NOT NULL, endpoint INTEGER NOT NULL, dialect INTEGER NOT NULL,
    outcome INTEGER NOT NULL, tags INTEGER NOT NULL,
    calls INTEGER NOT NULL, attempts INTEGER NOT NULL, failed INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL, charged INTEGER NOT NULL, unpriced INTEGER NOT NULL,
    latency BLOB, first_token BLOB,
    PRIMARY KEY (tenant, start, provider, model, route, requested_model, endpoint, dialect, outcome, tags)
) WITHOUT ROWID, STRICT;

-- How far each replica's journal is in the tables above.
CREATE TABLE checkpoints (
    replica BLOB PRIMARY KEY,
    shipped_segment INTEGER NOT NULL, shipped_offset INTEGER NOT NULL,
    open_segment INTEGER NOT NULL, open_offset INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
