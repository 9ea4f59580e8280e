/* consumer/config.c - the table of keys, and what makes a struct config of it. See config.h.
 *
 * A row binds one scalar of the tree to one field; its default goes the same way through the same
 * checks. Four things are no rows: `kafka` (librdkafka's properties, theirs to name), `input` (its
 * keys are the user's topics; `start` is the one scalar among them, topics are maps) and
 * `policy.tenants` (its keys are the user's tenants). What several keys must fulfil together stands
 * in check_together().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "classify/address.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

enum {
    TOPIC_SIZE_MAX = 249,
    PATH_SIZE_MAX = 128, /* of a key of ours, dotted */
    ASSIGNMENT_SIZE_MAX = 4096,
    HOST_SIZE_MAX = 64,
    MESSAGE_TIMEOUT_PERCENT = 80, /* of the transaction's, as io_kafka sets it */
    MAX_POLL_INTERVAL_MS = 120000,
    HEARTBEAT_INTERVAL_MS = 3000,
    RESTORE_SLICE_MS = 5000, /* a worker that restores polls at least this often */
};

enum type {
    TYPE_TEXT,
    TYPE_NAME,  /* what may stand in names of topics, groups, files */
    TYPE_TOPIC, /* the same, as Kafka has it */
    TYPE_NUMBER,
    TYPE_BOOL,
    TYPE_DURATION,
    TYPE_SIZE,
    TYPE_CHOICE,
};

struct row {
    const char *name;
    const char *alias; /* the same key as Kafka's people spell it; NULL: none */
    enum type type;
    size_t offset;
    const char *fallback; /* NULL: made from other keys, as `derived` says */
    const char *derived;
    int64_t min;
    int64_t max;
    const char *const *choices;
    const char *sentence;
};

static const char *const STARTS[] = {"earliest", "latest", NULL};
static const char *const SCOPES[] = {"global", "tenant", NULL};
static const char *const PRESETS[] = {"default", "careful", "handshake", NULL};
static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct row ROWS[] = {
    {"application_id", "application.id", TYPE_NAME, AT(application_id), "suppressd", NULL, 1, 100, NULL,
     "Begins the names of groups, transactions and topics; all processes of one installation have the same."},
    {"instance_id", "instance.id", TYPE_NAME, AT(instance_id), NULL, "the host name", 1, 100, NULL,
     "Tells this process from the others, for good: two processes on one host must each have their own."},

    {"workers.intake", NULL, TYPE_NUMBER, AT(workers_intake), "1", NULL, 0, CONFIG_WORKERS_MAX, NULL,
     "Threads that read, decode and classify input records; 0 to leave that to other processes."},
    {"workers.shard", NULL, TYPE_NUMBER, AT(workers_shard), "1", NULL, 0, CONFIG_WORKERS_MAX, NULL,
     "Threads that remember and decide; more than topics.partitions in all processes together are idle."},

    {"input.start", NULL, TYPE_CHOICE, AT(input_start), "earliest", NULL, 0, 0, STARTS,
     "Where to begin in an input partition of which nothing has been committed yet."},

    {"topics.events", NULL, TYPE_TOPIC, AT(topic_events), NULL, "APPLICATION_ID-events", 1, TOPIC_SIZE_MAX, NULL,
     "Packed observations, from intake to shards."},
    {"topics.changelog", NULL, TYPE_TOPIC, AT(topic_changelog), NULL, "APPLICATION_ID-changelog", 1, TOPIC_SIZE_MAX, NULL,
     "What is remembered of each recipient; compacted."},
    {"topics.suppressions", NULL, TYPE_TOPIC, AT(topic_suppressions), "suppressions", NULL, 1, TOPIC_SIZE_MAX, NULL,
     "Who may not be mailed now; compacted; what senders follow."},
    {"topics.decisions", NULL, TYPE_TOPIC, AT(topic_decisions), NULL, "APPLICATION_ID-decisions", 1, TOPIC_SIZE_MAX, NULL,
     "Every suppress and release with the failures it rests on."},
    {"topics.dead_letters", NULL, TYPE_TOPIC, AT(topic_dead_letters), NULL, "APPLICATION_ID-dead-letters", 1, TOPIC_SIZE_MAX, NULL,
     "What could not be read, with the reason."},
    {"topics.partitions", NULL, TYPE_NUMBER, AT(topic_partitions), "8", NULL, 1, CONFIG_SHARDS_MAX, NULL,
     "The number of shards: partitions of events and changelog. For life: it cannot be changed later."},
    {"topics.replication", NULL, TYPE_NUMBER, AT(topic_replication), "-1", NULL, -1, 32, NULL,
     "Copies of each partition when topics are created; -1: as the broker's default.replication.factor has it."},

    {"state.directory", NULL, TYPE_TEXT, AT(state_directory), "state-data", NULL, 1, 1000, NULL,
     "Where snapshots are kept. They are a cache: the changelog topic is the truth."},
    {"state.secret_file", NULL, TYPE_TEXT, AT(state_secret_file), NULL, "STATE.DIRECTORY/secret", 1, 1000, NULL,
     "The key of the hash under which recipients are remembered; the same file for all processes."},
    {"state.memory_limit", NULL, TYPE_SIZE, AT(state_memory_limit_bytes), "1G", NULL, 1 * MIB, 65536 * GIB, NULL,
     "For what is remembered, over all shards of this process. At the limit shards pause, and nothing is forgotten."},

    {"commit.interval", NULL, TYPE_DURATION, AT(commit_interval_ms), "100ms", NULL, 1, 10000, NULL,
     "How often a worker commits; the time from event to decision is about twice this."},
    {"session.timeout", NULL, TYPE_DURATION, AT(session_timeout_ms), "30s", NULL, 6000, 1800000, NULL,
     "A process that is silent for longer loses its partitions; a restart within it moves nothing."},
    {"transaction.timeout", NULL, TYPE_DURATION, AT(transaction_timeout_ms), "10s", NULL, 1000, 900000, NULL,
     "The broker aborts a transaction that takes longer; a takeover may have to wait for it."},
    {"watchdog.timeout", NULL, TYPE_DURATION, AT(watchdog_timeout_ms), "60s", NULL, 1000, 3600000, NULL,
     "A worker that does not come round for so long ends the process, so that another one can go on."},

    {"identity.keep_local_case", NULL, TYPE_BOOL, AT(identity_keep_local_case), "false", NULL, 0, 0, NULL,
     "Ann@example.com and ann@example.com are two recipients."},
    {"identity.prefer_original", NULL, TYPE_BOOL, AT(identity_prefer_original), "true", NULL, 0, 0, NULL,
     "Take the address as the sender wrote it (ORCPT and its kin) before the one it was rewritten to."},

    {"policy.preset", NULL, TYPE_CHOICE, AT(policy_preset), "default", NULL, 0, 0, PRESETS,
     "Which rules judge: careful counts final failures only, handshake moreover gives more time."},
    {"policy.mailbox_scope", NULL, TYPE_CHOICE, AT(policy_mailbox_scope), "global", NULL, 0, 0, SCOPES,
     "Whether all tenants share what is known of a mailbox, or each has its own."},

    {"log.level", NULL, TYPE_CHOICE, AT(log_level), "info", NULL, 0, 0, LEVELS,
     "Lines below this level are not written."},
};
/* clang-format on */

enum { ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };

static const char *const FREE_MAPS[] = {"kafka", "policy.tenants"};
static const char *const INPUT_FIELDS[] = {"format", "commands"};

enum {
    FREE_MAP_COUNT = sizeof(FREE_MAPS) / sizeof(FREE_MAPS[0]),
    INPUT_FIELD_COUNT = sizeof(INPUT_FIELDS) / sizeof(INPUT_FIELDS[0]),
};

/* Properties of the client that are ours, with what to do instead. */
static const struct {
    const char *name;
    const char *why;
} OWNED[] = {
    {"enable.auto.commit", "offsets are committed by the transaction that holds their results"},
    {"enable.auto.offset.store",
     "offsets are committed by the transaction that holds their results"},
    {"isolation.level", "only committed data is read, or results would be counted twice"},
    {"group.id", "the groups are named after application_id; set that"},
    {"group.instance.id", "it is made from instance_id; set that"},
    {"transactional.id", "it is made from application_id and instance_id; set those"},
    {"partition.assignment.strategy",
     "it is cooperative-sticky: a rebalance stops only what moves"},
    {"group.protocol", "the protocol of the groups is classic; the other is not tested yet"},
    {"auto.offset.reset", "a silent reset would lose events; for the first start set input.start"},
    {"partitioner", "it is murmur2, as Java clients have it; with any other a release would not "
                    "find what it releases"},
    {"enable.idempotence", "it is always on"},
    {"acks", "it is always all"},
    {"request.required.acks", "it is always all"},
    {"session.timeout.ms", "set session.timeout"},
    {"transaction.timeout.ms", "set transaction.timeout"},
};

/* --- memory: what was made and not read ---------------------------------------------------------
 */

struct block {
    struct block *next;
    max_align_t bytes[];
};

struct config_memory {
    struct yaml *yaml;
    struct block *blocks;
};

/* What reading needs at hand. `no_memory` is looked at once, at the end. */
struct reading {
    struct yaml *yaml;
    const struct yaml_node *root;
    struct config *config;
    bool no_memory;
};

/* Zeroed, lives as long as the config; NULL once memory is out. */
static void *take_memory(struct reading *r, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct block), &bytes)) {
        r->no_memory = true;
        return NULL;
    }
    struct block *block = calloc(1, bytes);
    if (block == NULL) {
        r->no_memory = true;
        return NULL;
    }
    block->next = r->config->memory->blocks;
    r->config->memory->blocks = block;
    return block->bytes;
}

/* The two texts after each other; "" once memory is out. */
static const char *join(struct reading *r, const char *a, const char *b)
{
    const size_t size = strlen(a) + strlen(b) + 1;
    char *out = take_memory(r, size, 1);
    if (out == NULL) {
        return "";
    }
    (void)snprintf(out, size, "%s%s", a, b);
    return out;
}

/* --- finding in the tree ------------------------------------------------------------------------
 */

/* The next component of a dotted path, NUL-terminated; false at its end. */
static bool next_component(const char **path, char out[PATH_SIZE_MAX])
{
    if (**path == '\0') {
        return false;
    }
    const size_t size = strcspn(*path, ".");
    CHECK(size < PATH_SIZE_MAX);
    memcpy(out, *path, size);
    out[size] = '\0';
    *path += size;
    *path += **path == '.';
    return true;
}

/* NULL where the path leads nowhere; a wrong kind on the way was told by check_keys(). */
static const struct yaml_node *find(const struct yaml_node *root, const char *path)
{
    char component[PATH_SIZE_MAX];
    const struct yaml_node *node = root;
    while (node != NULL && next_component(&path, component)) {
        node = node->kind == YAML_MAP ? yaml_find(node, component) : NULL;
    }
    return node;
}

/* For a fault of something that may stand nowhere in the file. */
static const struct yaml_node *find_or_root(const struct yaml_node *root, const char *path)
{
    const struct yaml_node *node = find(root, path);
    return node == NULL ? root : node;
}

static bool is_free_map(const char *path)
{
    for (size_t i = 0; i < FREE_MAP_COUNT; i++) {
        if (strcmp(path, FREE_MAPS[i]) == 0) {
            return true;
        }
    }
    return strcmp(path, "input") == 0;
}

static bool is_below(const char *name, const char *path)
{
    const size_t size = strlen(path);
    return name != NULL && strncmp(name, path, size) == 0 && name[size] == '.';
}

static bool is_key(const char *path)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(path, ROWS[i].name) == 0 ||
            (ROWS[i].alias != NULL && strcmp(path, ROWS[i].alias) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_group(const char *path)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (is_below(ROWS[i].name, path) || is_below(ROWS[i].alias, path)) {
            return true;
        }
    }
    return false;
}

static const char *last_component(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* --- unknown keys -------------------------------------------------------------------------------
 */

/* The whole name of the key that the user may have meant, NULL if none is near. A sibling is
 * likelier than a key of the same name elsewhere. */
static const char *meant_key(const char *path, struct span key, char out[PATH_SIZE_MAX])
{
    const size_t prefix_size = strlen(path) - key.size; /* with its dot, or 0 */
    char siblings[ROW_COUNT + FREE_MAP_COUNT + 1][PATH_SIZE_MAX];
    const char *names[ROW_COUNT + FREE_MAP_COUNT + 1];
    size_t count = 0;
    for (size_t i = 0; i < ROW_COUNT + FREE_MAP_COUNT; i++) {
        const char *name = i < ROW_COUNT ? ROWS[i].name : FREE_MAPS[i - ROW_COUNT];
        if (strncmp(name, path, prefix_size) == 0) {
            const char *rest = name + prefix_size;
            (void)next_component(&rest, siblings[count]);
            names[count] = siblings[count];
            count++;
        }
    }
    const char *near = yaml_did_you_mean(key, names, count);
    if (near != NULL) {
        (void)snprintf(out, PATH_SIZE_MAX, "%.*s%s", (int)prefix_size, path, near);
        return out;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = last_component(ROWS[i].name);
    }
    near = yaml_did_you_mean(key, names, ROW_COUNT);
    for (size_t i = 0; near != NULL && i < ROW_COUNT; i++) {
        if (names[i] == near) {
            return ROWS[i].name;
        }
    }
    return NULL;
}

static bool has_dot(struct span key)
{
    return memchr(key.data, '.', key.size) != NULL;
}

static void unknown_key(struct yaml *yaml, const struct yaml_node *node, const char *path)
{
    if (has_dot(node->key) && (is_key(path) || is_group(path))) {
        yaml_fault(yaml, node,
                   "each part of a name is a level of its own: write `%.*s:` and below "
                   "it, indented, what follows the dot",
                   (int)strcspn(node->key.data, "."), node->key.data);
        return;
    }
    char memory[PATH_SIZE_MAX];
    const char *meant = meant_key(path, node->key, memory);
    if (meant != NULL) {
        yaml_fault(yaml, node, "there is no such key; did you mean `%s`?", meant);
    } else {
        yaml_fault(yaml, node, "there is no such key; `suppressd run --help` lists them all");
    }
}

/* One level of maps that are ours; `prefix` is "" or ends with a dot. Depth: that of ROWS. */
static void check_keys(struct reading *r, const struct yaml_node *map, const char *prefix)
{
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        char path[PATH_SIZE_MAX];
        const int size = snprintf(path, sizeof(path), "%s%s", prefix, node->key.data);
        const bool is_whole = size >= 0 && (size_t)size + 1 < sizeof(path);
        if (is_whole && is_free_map(path)) {
            (void)yaml_to_map(r->yaml, yaml_find(map, node->key.data));
        } else if (is_whole && is_group(path) && !has_dot(node->key)) {
            const struct yaml_node *group = yaml_to_map(r->yaml, yaml_find(map, node->key.data));
            if (group != NULL) {
                path[size] = '.';
                path[size + 1] = '\0';
                check_keys(r, group, path);
            }
        } else if (!is_whole || !is_key(path) || has_dot(node->key)) {
            unknown_key(r->yaml, node, is_whole ? path : node->key.data);
        }
    }
}

/* --- binding one row ----------------------------------------------------------------------------
 */

static bool is_name(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return text.size > 0;
}

static bool is_topic(struct span text)
{
    return is_name(text) && text.size <= TOPIC_SIZE_MAX && !span_equal(text, SPAN(".")) &&
           !span_equal(text, SPAN(".."));
}

static bool bind_text(struct yaml *yaml,
                      const struct row *row,
                      const struct yaml_node *node,
                      const char **out)
{
    const char *text = NULL;
    if (!yaml_to_text(yaml, node, &text)) {
        return false;
    }
    const struct span span = span_of(text);
    if ((int64_t)span.size < row->min || (int64_t)span.size > row->max) {
        yaml_fault(yaml, node, "between %" PRId64 " and %" PRId64 " characters, please", row->min,
                   row->max);
        return false;
    }
    if ((row->type == TYPE_NAME && !is_name(span)) ||
        (row->type == TYPE_TOPIC && !is_topic(span))) {
        yaml_fault(yaml, node, "`%s` may hold letters, digits, `.`, `_` and `-` only", text);
        return false;
    }
    *out = text;
    return true;
}

static bool bind_choice(struct yaml *yaml,
                        const struct row *row,
                        const struct yaml_node *node,
                        void *field)
{
    size_t count = 0;
    while (row->choices[count] != NULL) {
        count++;
    }
    size_t chosen = 0;
    if (!yaml_to_choice(yaml, node, row->choices, count, &chosen)) {
        return false;
    }
    /* The enumerations of struct config all have the size of an unsigned. */
    const unsigned value = (unsigned)chosen;
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool bind(struct yaml *yaml,
                 const struct row *row,
                 const struct yaml_node *node,
                 struct config *config)
{
    void *field = (char *)config + row->offset;
    switch (row->type) {
    case TYPE_TEXT:
    case TYPE_NAME:
    case TYPE_TOPIC:
        return bind_text(yaml, row, node, field);
    case TYPE_NUMBER:
        return yaml_to_int(yaml, node, row->min, row->max, field);
    case TYPE_BOOL:
        return yaml_to_bool(yaml, node, field);
    case TYPE_DURATION:
        return yaml_to_duration_ms(yaml, node, row->min, row->max, field);
    case TYPE_SIZE:
        return yaml_to_size_bytes(yaml, node, row->min, row->max, field);
    case TYPE_CHOICE:
        return bind_choice(yaml, row, node, field);
    }
    CHECK(!"a type without a case");
    return false;
}

static void bind_rows(struct reading *r)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &ROWS[i];
        if (row->fallback != NULL) {
            const struct yaml_node fallback = {.kind = YAML_SCALAR,
                                               .plain = true,
                                               .source = "the table of keys",
                                               .key = span_of(row->name),
                                               .text = span_of(row->fallback)};
            CHECK(bind(r->yaml, row, &fallback, r->config));
        }
        const struct yaml_node *node = find(r->root, row->name);
        if (node == NULL && row->alias != NULL) {
            node = find(r->root, row->alias);
        }
        const bool is_topic_of_that_name = /* input.start */
            row->offset == AT(input_start) && node != NULL && node->kind == YAML_MAP;
        if (node != NULL && !is_topic_of_that_name) {
            (void)bind(r->yaml, row, node, r->config);
        }
    }
}

/* What a row without a fallback is, if the user did not say. */
static void derive(struct reading *r)
{
    struct config *config = r->config;
    const struct {
        const char **field;
        const char *before;
        const char *after;
    } derived[] = {
        {&config->topic_events, config->application_id, "-events"},
        {&config->topic_changelog, config->application_id, "-changelog"},
        {&config->topic_decisions, config->application_id, "-decisions"},
        {&config->topic_dead_letters, config->application_id, "-dead-letters"},
        {&config->state_secret_file, config->state_directory, "/secret"},
    };
    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
        if (*derived[i].field == NULL) {
            *derived[i].field = join(r, derived[i].before, derived[i].after);
        }
    }
    if (config->instance_id == NULL) {
        char host[HOST_SIZE_MAX + 1] = "";
        if (gethostname(host, HOST_SIZE_MAX) != 0 || !is_name(span_of(host))) {
            yaml_fault(r->yaml, r->root,
                       "this host has no name that could serve as instance_id; "
                       "set instance_id");
        }
        config->instance_id = join(r, host, "");
    }
}

/* --- the maps whose keys are the user's ---------------------------------------------------------
 */

static size_t member_count(const struct yaml_node *map)
{
    size_t count = 0;
    for (const struct yaml_node *node = map == NULL ? NULL : map->first; node != NULL;
         node = node->next) {
        count++;
    }
    return count;
}

/* NULL if it is none, which check_keys() has told. */
static const struct yaml_node *find_map(const struct reading *r, const char *path)
{
    const struct yaml_node *node = find(r->root, path);
    return node != NULL && node->kind == YAML_MAP ? node : NULL;
}

static const char *why_owned(struct span property)
{
    for (size_t i = 0; i < sizeof(OWNED) / sizeof(OWNED[0]); i++) {
        if (span_equal_nocase(span_of(OWNED[i].name), property)) {
            return OWNED[i].why;
        }
    }
    return NULL;
}

static bool is_property(struct yaml *yaml, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR) {
        yaml_fault(yaml, node,
                   "names of librdkafka's properties are not taken apart: write "
                   "`bootstrap.servers: HOST:PORT` below kafka, dots included");
        return false;
    }
    const char *why = why_owned(node->key);
    if (why != NULL) {
        yaml_fault(yaml, node, "this property is not yours to set: %s", why);
        return false;
    }
    return true;
}

static void read_kafka(struct reading *r)
{
    const struct yaml_node *map = find_map(r, "kafka");
    const size_t count = member_count(map);
    if (count > CONFIG_PROPERTIES_MAX) {
        yaml_fault(r->yaml, map, "more than %d properties", CONFIG_PROPERTIES_MAX);
        return;
    }
    struct io_property *properties = take_memory(r, count, sizeof(*properties));
    if (count == 0 || properties == NULL) {
        return;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        if (is_property(r->yaml, node)) {
            properties[r->config->kafka_count++] =
                (struct io_property){.name = node->key.data, .value = node->text.data};
        }
    }
    r->config->kafka = properties;
}

static void wrong_format(struct yaml *yaml, const struct yaml_node *node, const char *name)
{
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; format_at(i) != NULL && used < sizeof(list); i++) {
        const int size = snprintf(list + used, sizeof(list) - used, "%s%s", i == 0 ? "" : ", ",
                                  format_name(format_at(i)));
        used += size > 0 ? (size_t)size : 0;
    }
    yaml_fault(yaml, node, "there is no format `%s`; there are: %s", name, list);
}

/* `mail.events: kumomta` is short for `mail.events: {format: kumomta}`. */
static bool read_input(struct yaml *yaml, const struct yaml_node *node, struct config_input *input)
{
    if (!is_topic(node->key)) {
        yaml_fault(yaml, node,
                   "no name of a Kafka topic: letters, digits, `.`, `_` and `-`, at "
                   "most %d",
                   TOPIC_SIZE_MAX);
        return false;
    }
    const struct yaml_node *format = node;
    if (node->kind != YAML_SCALAR) {
        if (yaml_to_map(yaml, node) == NULL) {
            return false;
        }
        yaml_known_keys(yaml, node, INPUT_FIELDS, INPUT_FIELD_COUNT);
        (void)yaml_to_bool(yaml, yaml_find(node, "commands"), &input->commands);
        format = yaml_find(node, "format");
    }
    const char *name = "";
    if (format != NULL && !yaml_to_text(yaml, format, &name)) {
        return false;
    }
    if (*name == '\0') {
        yaml_fault(yaml, node, "in which format are its records? Say `format: kumomta` below it");
        return false;
    }
    input->topic = node->key.data;
    input->format = format_find(span_of(name));
    if (input->format == NULL) {
        wrong_format(yaml, format, name);
        return false;
    }
    return true;
}

/* Is it the key input.start, and no topic of that name? */
static bool is_input_start(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && span_equal(node->key, SPAN("start"));
}

static void read_inputs(struct reading *r)
{
    const struct yaml_node *map = find_map(r, "input");
    const size_t count = member_count(map);
    if (count > IO_TOPICS_MAX) {
        yaml_fault(r->yaml, map, "more than %d input topics", IO_TOPICS_MAX);
        return;
    }
    struct config_input *inputs = take_memory(r, count, sizeof(*inputs));
    if (count == 0 || inputs == NULL) {
        return;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        if (!is_input_start(node) && read_input(r->yaml, node, &inputs[r->config->input_count])) {
            r->config->input_count++;
        }
    }
    r->config->inputs = inputs;
}

static bool read_tenant(struct reading *r,
                        const struct yaml_node *node,
                        struct config_tenant *tenant)
{
    char memory[TENANT_SIZE_MAX];
    struct span name;
    const char *wrong = tenant_canonical(node->key, memory, &name);
    if (wrong != NULL) {
        yaml_fault(r->yaml, node, "no name of a tenant: %s", wrong);
        return false;
    }
    size_t preset = 0;
    if (!yaml_to_choice(r->yaml, node, PRESETS, CONFIG_PRESET_HANDSHAKE + 1, &preset)) {
        return false;
    }
    char *copy = take_memory(r, name.size + 1, 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, name.data, name.size);
    *tenant = (struct config_tenant){{copy, name.size}, (enum config_preset)preset};
    return true;
}

static void read_tenants(struct reading *r)
{
    const struct yaml_node *map = find_map(r, "policy.tenants");
    const size_t count = member_count(map);
    if (count > CONFIG_TENANTS_MAX) {
        yaml_fault(r->yaml, map, "more than %d tenants", CONFIG_TENANTS_MAX);
        return;
    }
    struct config_tenant *tenants = take_memory(r, count, sizeof(*tenants));
    if (count == 0 || tenants == NULL) {
        return;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        if (read_tenant(r, node, &tenants[r->config->policy_tenant_count])) {
            r->config->policy_tenant_count++;
        }
    }
    r->config->policy_tenants = tenants;
}

/* --- what keys must fulfil together -------------------------------------------------------------
 */

static void check_topics_differ(struct reading *r)
{
    const struct config *config = r->config;
    const struct {
        const char *path;
        const char *name;
    } outputs[] = {
        {"topics.events", config->topic_events},
        {"topics.changelog", config->topic_changelog},
        {"topics.suppressions", config->topic_suppressions},
        {"topics.decisions", config->topic_decisions},
        {"topics.dead_letters", config->topic_dead_letters},
    };
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(outputs[i].name, outputs[j].name) == 0) {
                yaml_fault(r->yaml, find_or_root(r->root, outputs[i].path),
                           "%s and %s are both `%s`: each needs a topic of its own",
                           outputs[j].path, outputs[i].path, outputs[i].name);
            }
        }
        for (size_t j = 0; j < config->input_count; j++) {
            if (strcmp(outputs[i].name, config->inputs[j].topic) == 0) {
                yaml_fault(r->yaml, yaml_find(find(r->root, "input"), outputs[i].name),
                           "this is %s, which suppressd writes: it cannot be an input",
                           outputs[i].path);
            }
        }
    }
}

/* A number that the user gave to the client, else ours. */
static int64_t property_ms(const struct config *config, const char *name, int64_t fallback)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        uint64_t number = 0;
        if (strcmp(config->kafka[i].name, name) == 0 &&
            span_to_u64(span_of(config->kafka[i].value), &number) && number <= INT32_MAX) {
            return (int64_t)number;
        }
    }
    return fallback;
}

/* commit.interval << message timeout < transaction < max.poll - (the broker's sweep + a slice of
 * restoring); heartbeats << session < max.poll; only a watchdog that is slower than all of this can
 * tell a hanging worker from one that waits for the broker. */
static void check_times(struct reading *r)
{
    const struct config *config = r->config;
    const int64_t transaction_ms = config->transaction_timeout_ms;
    const int64_t message_ms = property_ms(
        config, "message.timeout.ms",
        property_ms(config, "delivery.timeout.ms", transaction_ms * MESSAGE_TIMEOUT_PERCENT / 100));
    const int64_t poll_ms = property_ms(config, "max.poll.interval.ms", MAX_POLL_INTERVAL_MS);
    const int64_t heartbeat_ms =
        property_ms(config, "heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS);
    const struct {
        bool holds;
        const char *path;
        const char *what;
    } chain[] = {
        {config->commit_interval_ms * 4 <= message_ms, "commit.interval",
         "may be at most a quarter of the time that a record has to arrive "
         "(kafka.message.timeout.ms, else 80 % of transaction.timeout)"},
        {message_ms < transaction_ms, "transaction.timeout",
         "must be longer than kafka.message.timeout.ms"},
        {transaction_ms + CONFIG_BROKER_SWEEP_MS + RESTORE_SLICE_MS < poll_ms,
         "transaction.timeout",
         "must be at least 15 s shorter than kafka.max.poll.interval.ms "
         "(default 120000), or a worker that waits for another's transaction loses its partitions"},
        {config->session_timeout_ms <= poll_ms, "session.timeout",
         "may not be longer than kafka.max.poll.interval.ms (default 120000)"},
        {heartbeat_ms * 3 <= config->session_timeout_ms, "session.timeout",
         "must be at least three times kafka.heartbeat.interval.ms (default 3000)"},
        {config->watchdog_timeout_ms > transaction_ms + CONFIG_BROKER_SWEEP_MS, "watchdog.timeout",
         "must be more than 10 s longer than transaction.timeout, or it ends "
         "processes that only wait for the broker"},
    };
    for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++) {
        if (!chain[i].holds) {
            const struct yaml_node *node = find(r->root, chain[i].path);
            yaml_fault(r->yaml, node == NULL ? r->root : node, "%s%s%s",
                       node == NULL ? chain[i].path : "", node == NULL ? " " : "", chain[i].what);
        }
    }
}

static bool has_property(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        if (strcmp(config->kafka[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Also one that has a fault of its own and is told of already. */
static bool has_input(const struct reading *r)
{
    const struct yaml_node *map = find_map(r, "input");
    for (const struct yaml_node *node = map == NULL ? NULL : map->first; node != NULL;
         node = node->next) {
        if (!is_input_start(node)) {
            return true;
        }
    }
    return false;
}

static void check_kafka_is_there(struct reading *r)
{
    const struct config *config = r->config;
    if (!has_property(config, "bootstrap.servers") &&
        !has_property(config, "metadata.broker.list")) {
        yaml_fault(r->yaml, find_or_root(r->root, "kafka"),
                   "where is Kafka? Say `bootstrap.servers: HOST:9092` below `kafka:`, or --set "
                   "kafka.bootstrap.servers=HOST:9092");
    }
    if (config->workers_intake > 0 && !has_input(r)) {
        yaml_fault(r->yaml, find_or_root(r->root, "input"),
                   "which topics hold the mail events? Say `TOPIC: {format: kumomta}` below "
                   "`input:`, or --set input.TOPIC.format=kumomta, or workers.intake=0");
    }
}

static void check_together(struct reading *r, bool without_kafka)
{
    const struct config *config = r->config;
    check_topics_differ(r);
    check_times(r);
    if (!without_kafka) {
        check_kafka_is_there(r);
        if (config->workers_intake == 0 && config->workers_shard == 0) {
            yaml_fault(r->yaml, find_or_root(r->root, "workers"),
                       "without any worker there is nothing to do: raise workers.intake or "
                       "workers.shard");
        }
    }
}

/* --- overrides ----------------------------------------------------------------------------------
 */

/* input.mail.events.format=kumomta: topics have dots in their names, so the last component is the
 * field if it is one, and all before it is the topic; a value that is a map, and a last component
 * that is no field, mean that all of it is the topic. input.start is itself. Writes what yaml_set()
 * understands without guessing. */
static void quote_topic(const char *assignment, char out[ASSIGNMENT_SIZE_MAX])
{
    const char *value = strchr(assignment, '=');
    (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "%s", assignment);
    if (value == NULL || !is_below(assignment, "input") ||
        memchr(assignment, '"', (size_t)(value - assignment)) != NULL) {
        return;
    }
    const char *topic = assignment + strlen("input.");
    const int size = (int)(value - topic);
    if (size <= 0 || strncmp(topic, "start=", strlen("start=")) == 0) {
        return;
    }
    const char *dot = memrchr(topic, '.', (size_t)size);
    for (size_t i = 0; dot != NULL && value[1] != '{' && i < INPUT_FIELD_COUNT; i++) {
        const struct span field = {dot + 1, (size_t)(value - dot - 1)};
        if (span_equal(field, span_of(INPUT_FIELDS[i]))) {
            (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "input.\"%.*s\"%s", (int)(dot - topic), topic,
                           dot);
            return;
        }
    }
    (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "input.\"%.*s\"%s", size, topic, value);
}

/* SUPPRESSD_STATE__MEMORY_LIMIT=2G: two underscores part levels; in names of the client's
 * properties one stands for a dot (SUPPRESSD_KAFKA__SASL_PASSWORD). Anything else that begins so is
 * not ours: Kubernetes puts SUPPRESSD_PORT and its like into every pod beside a service of that
 * name. Writes the assignment; false: not for us. */
static bool from_environment(const char *variable, char out[ASSIGNMENT_SIZE_MAX])
{
    static const char PREFIX[] = "SUPPRESSD_";
    const char *value = strchr(variable, '=');
    if (strncmp(variable, PREFIX, sizeof(PREFIX) - 1) != 0 || value == NULL ||
        strlen(variable) >= ASSIGNMENT_SIZE_MAX) {
        return false;
    }
    size_t size = 0;
    bool has_levels = false;
    for (const char *c = variable + sizeof(PREFIX) - 1; c < value; c++) {
        const bool parts = c[0] == '_' && c[1] == '_';
        const bool in_property = size >= 6 && memcmp(out, "kafka.", 6) == 0;
        has_levels = has_levels || parts;
        out[size++] = (char)(parts || (in_property && *c == '_') ? '.' : tolower(*c));
        c += parts;
    }
    out[size] = '\0';
    const bool is_ours = has_levels || is_key(out);
    (void)snprintf(out + size, ASSIGNMENT_SIZE_MAX - size, "%s", value);
    return is_ours;
}

static void set_one(struct yaml *yaml, const char *assignment)
{
    char quoted[ASSIGNMENT_SIZE_MAX];
    if (strlen(assignment) > ASSIGNMENT_SIZE_MAX / 2 - 2) {
        yaml_fault(yaml, yaml_root(yaml), "too long for --set: %.40s...", assignment);
        return;
    }
    quote_topic(assignment, quoted);
    yaml_set(yaml, quoted, &(const struct free_maps){FREE_MAPS, FREE_MAP_COUNT});
}

static void set_overrides(struct yaml *yaml, const struct config_sources *sources)
{
    for (const char *const *variable = sources->environment; variable != NULL && *variable != NULL;
         variable++) {
        char assignment[ASSIGNMENT_SIZE_MAX];
        if (from_environment(*variable, assignment)) {
            set_one(yaml, assignment);
        }
    }
    for (size_t i = 0; i < sources->assignment_count; i++) {
        set_one(yaml, sources->assignments[i]);
    }
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* Everything but the tree. */
static void free_config(struct config *config)
{
    if (config->memory != NULL) {
        while (config->memory->blocks != NULL) {
            struct block *block = config->memory->blocks;
            config->memory->blocks = block->next;
            free(block);
        }
        free(config->memory);
    }
    free(config);
}

enum err config_read(struct yaml *yaml, struct config_sources sources, struct config **out)
{
    set_overrides(yaml, &sources);
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return ERR_NO_MEMORY;
    }
    config->memory = calloc(1, sizeof(*config->memory));
    if (config->memory == NULL) {
        free_config(config);
        return ERR_NO_MEMORY;
    }
    struct reading r = {.yaml = yaml, .root = yaml_root(yaml), .config = config};
    check_keys(&r, r.root, "");
    bind_rows(&r);
    derive(&r);
    read_kafka(&r);
    read_inputs(&r);
    read_tenants(&r);
    check_together(&r, sources.without_kafka);
    if (r.no_memory || yaml_fault_count(yaml) > 0) {
        const enum err err = r.no_memory ? ERR_NO_MEMORY : ERR_BAD_CONFIG;
        free_config(config);
        return err;
    }
    config->memory->yaml = yaml;
    *out = config;
    return OK;
}

enum err config_create(struct config_sources sources, struct config **out)
{
    struct yaml *yaml = NULL;
    enum err err = sources.file == NULL ? yaml_parse("configuration", SPAN(""), &yaml)
                                        : yaml_open(sources.file, &yaml);
    if (err != OK) {
        return err;
    }
    err = config_read(yaml, sources, out);
    if (err != OK) {
        const enum err reported = yaml_report(yaml);
        yaml_close(&yaml);
        return err == ERR_NO_MEMORY || reported == OK ? err : reported;
    }
    return OK;
}

void config_destroy(struct config **config)
{
    if (*config == NULL) {
        return;
    }
    yaml_close(&(*config)->memory->yaml);
    free_config(*config);
    *config = NULL;
}

const char *config_preset_name(enum config_preset preset)
{
    CHECK(preset <= CONFIG_PRESET_HANDSHAKE);
    return PRESETS[preset];
}

/* --- the same table for people ------------------------------------------------------------------
 */

/* From large to small, the last is 1. */
struct unit {
    int64_t size;
    const char *name;
};

static const struct unit NUMBER_UNITS[] = {{1, ""}};
static const struct unit SIZE_UNITS[] = {{GIB, "G"}, {MIB, "M"}, {1, ""}};
static const struct unit DURATION_UNITS[] = {{60000, "m"}, {1000, "s"}, {1, "ms"}};

static void print_amount(FILE *out, enum type type, int64_t amount)
{
    const struct unit *unit = type == TYPE_DURATION ? DURATION_UNITS
                              : type == TYPE_SIZE   ? SIZE_UNITS
                                                    : NUMBER_UNITS;
    while (unit->size > 1 && (amount == 0 || amount % unit->size != 0)) {
        unit++;
    }
    (void)fprintf(out, "%" PRId64 "%s", amount / unit->size, unit->name);
}

static void print_bounds(FILE *out, const struct row *row)
{
    switch (row->type) {
    case TYPE_NUMBER:
    case TYPE_DURATION:
    case TYPE_SIZE:
        (void)fputs("; ", out);
        print_amount(out, row->type, row->min);
        (void)fputs(" to ", out);
        print_amount(out, row->type, row->max);
        break;
    case TYPE_CHOICE:
        for (size_t i = 0; row->choices[i] != NULL; i++) {
            (void)fprintf(out, "%s%s", i == 0 ? "; " : " | ", row->choices[i]);
        }
        break;
    case TYPE_TEXT:
    case TYPE_NAME:
    case TYPE_TOPIC:
    case TYPE_BOOL:
        break;
    }
}

/* The maps that are no rows, told where their neighbours stand. */
static const struct {
    const char *before; /* the row that they precede */
    const char *name;
    const char *sentence;
} MAPS[] = {
    {"input.start", "kafka.PROPERTY",
     "Any property of librdkafka, verbatim; bootstrap.servers is the one that is needed."},
    {"input.start", "input.TOPIC",
     "{format: FORMAT, commands: false}: a topic of mail events; commands: true lets it carry an "
     "operator's suppress and release."},
    {"log.level", "policy.tenants.TENANT",
     "The preset of a tenant that is judged by rules of its own."},
};

static void print_maps_before(FILE *out, const char *row)
{
    for (size_t i = 0; i < sizeof(MAPS) / sizeof(MAPS[0]); i++) {
        if (strcmp(MAPS[i].before, row) == 0) {
            (void)fprintf(out, "  %s\n      %s\n", MAPS[i].name, MAPS[i].sentence);
        }
    }
}

void config_print_keys(FILE *out)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &ROWS[i];
        print_maps_before(out, row->name);
        (void)fprintf(out, "  %s = %s", row->name,
                      row->fallback != NULL ? row->fallback : row->derived);
        print_bounds(out, row);
        (void)fprintf(out, "\n      %s\n", row->sentence);
    }
}

/* Rows of one group stand together in the table. What is derived is left out behind its `#`. */
void config_print_example(FILE *out)
{
    (void)fputs("# What holds if nothing is said. `kafka` and `input` are yours to fill in.\n"
                "kafka:\n  bootstrap.servers: localhost:9092\n",
                out);
    char open[PATH_SIZE_MAX] = "";
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &ROWS[i];
        const char *rest = row->name;
        char group[PATH_SIZE_MAX];
        (void)next_component(&rest, group);
        const bool is_nested = *rest != '\0';
        if (is_nested && strcmp(group, open) != 0) {
            (void)fprintf(out, "%s:\n", group);
            memcpy(open, group, sizeof(open));
        }
        const char *indent = is_nested ? "  " : "";
        (void)fprintf(out, "%s# %s\n", indent, row->sentence);
        (void)fprintf(out, "%s%s%s: %s\n", indent, row->fallback != NULL ? "" : "# ",
                      last_component(row->name),
                      row->fallback != NULL ? row->fallback : row->derived);
    }
}
