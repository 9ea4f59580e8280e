/* consumer/config.c - from a tree and the table of keys to a struct config. See config.h.
 *
 * A row of the table (config_table.c) binds one scalar of the tree to one field; its default goes
 * the same way through the same checks. Four things are not bound so: `kafka` (librdkafka's properties,
 * theirs to name), `input` (its keys are the user's topics; `start` is the one scalar among them,
 * topics are maps), `policy.tenants` (its keys are the user's tenants) and `rules.files` (a list).
 * What several keys must fulfil together stands in check_together().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "classify/address.h"
#include "classify/sender_names.h"
#include "consumer/config_override.h"
#include "consumer/config_table.h"

enum {
    HOST_SIZE_MAX = 64,
    MESSAGE_TIMEOUT_PERCENT = 80,  /* of the transaction's, as io_kafka sets it */
    MAX_POLL_INTERVAL_MS = 120000, /* but not less than a session, as io_kafka sets it */
    HEARTBEATS_PER_SESSION = 10,
    RESTORE_SLICE_MS = 5000, /* a worker that restores polls at least this often */
    COMMIT_EXTRA_MS =
        30000, /* a commit's worst case beyond two transaction times: a new producer */
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
    {"enable.partition.eof", "the readers of logs need it, the others must not have it"},
    {"delivery.report.only.error", "only failed deliveries are looked at, and they must be"},
    {"allow.auto.create.topics",
     "topics with the broker's defaults would lose data; see `suppressd topics --create`"},
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

/* NULL where the path leads nowhere; a wrong kind on the way was told by check_keys(). */
static const struct yaml_node *find(const struct yaml_node *root, const char *path)
{
    char component[CONFIG_PATH_SIZE_MAX];
    const struct yaml_node *node = root;
    while (node != NULL && config_path_next(&path, component)) {
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

/* --- unknown keys -------------------------------------------------------------------------------
 */

/* The whole name of the key that the user may have meant, NULL if none is near. A sibling is
 * likelier than a key of the same name elsewhere. */
static const char *meant_key(const char *path, struct span key, char out[CONFIG_PATH_SIZE_MAX])
{
    const size_t prefix_size = strlen(path) - key.size; /* with its dot, or 0 */
    char siblings[CONFIG_KEY_COUNT + CONFIG_FREE_MAP_COUNT + 1][CONFIG_PATH_SIZE_MAX];
    const char *names[CONFIG_KEY_COUNT + CONFIG_FREE_MAP_COUNT + 1];
    size_t count = 0;
    for (size_t i = 0; i < CONFIG_KEY_COUNT + CONFIG_FREE_MAP_COUNT; i++) {
        const char *name =
            i < CONFIG_KEY_COUNT ? CONFIG_KEYS[i].name : CONFIG_FREE_MAPS[i - CONFIG_KEY_COUNT];
        if (strncmp(name, path, prefix_size) == 0) {
            const char *rest = name + prefix_size;
            (void)config_path_next(&rest, siblings[count]);
            names[count] = siblings[count];
            count++;
        }
    }
    const char *near = yaml_did_you_mean(key, names, count);
    if (near != NULL) {
        (void)snprintf(out, CONFIG_PATH_SIZE_MAX, "%.*s%s", (int)prefix_size, path, near);
        return out;
    }
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        names[i] = config_path_last(CONFIG_KEYS[i].name);
    }
    near = yaml_did_you_mean(key, names, CONFIG_KEY_COUNT);
    for (size_t i = 0; near != NULL && i < CONFIG_KEY_COUNT; i++) {
        if (names[i] == near) {
            return CONFIG_KEYS[i].name;
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
    if (has_dot(node->key) && (config_is_key(path) || config_is_group(path))) {
        yaml_fault(yaml, node,
                   "each part of a name is a level of its own: write `%.*s:` and below "
                   "it, indented, what follows the dot",
                   (int)strcspn(node->key.data, "."), node->key.data);
        return;
    }
    char memory[CONFIG_PATH_SIZE_MAX];
    const char *meant = meant_key(path, node->key, memory);
    if (meant != NULL) {
        yaml_fault(yaml, node, "there is no such key; did you mean `%s`?", meant);
    } else {
        yaml_fault(yaml, node, "there is no such key; `suppressd run --help` lists them all");
    }
}

/* One level of maps that are ours; `prefix` is "" or ends with a dot. Depth: that of CONFIG_KEYS.
 */
static void check_keys(struct reading *r, const struct yaml_node *map, const char *prefix)
{
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        char path[CONFIG_PATH_SIZE_MAX];
        const int size = snprintf(path, sizeof(path), "%s%s", prefix, node->key.data);
        const bool is_whole = size >= 0 && (size_t)size + 1 < sizeof(path);
        if (is_whole && config_is_free_map(path)) {
            (void)yaml_to_map(r->yaml, yaml_find(map, node->key.data));
        } else if (is_whole && config_is_group(path) && !has_dot(node->key)) {
            const struct yaml_node *group = yaml_to_map(r->yaml, yaml_find(map, node->key.data));
            if (group != NULL) {
                path[size] = '.';
                path[size + 1] = '\0';
                check_keys(r, group, path);
            }
        } else if (!is_whole || !config_is_key(path) || has_dot(node->key)) {
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
    return is_name(text) && text.size <= CONFIG_TOPIC_SIZE_MAX && !span_equal(text, SPAN(".")) &&
           !span_equal(text, SPAN(".."));
}

static bool bind_text(struct yaml *yaml,
                      const struct config_key *row,
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
                        const struct config_key *row,
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
                 const struct config_key *row,
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
    case TYPE_FILES:
        return true; /* read_rule_files() */
    }
    CHECK(!"a type without a case");
    return false;
}

static void bind_rows(struct reading *r)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *row = &CONFIG_KEYS[i];
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
            row->offset == offsetof(struct config, input_start) && node != NULL &&
            node->kind == YAML_MAP;
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

static void read_rule_files(struct reading *r)
{
    const struct yaml_node *node = find(r->root, "rules.files");
    const struct yaml_node *first = node != NULL && node->kind == YAML_LIST ? node->first : node;
    const char **paths = take_memory(r, CONFIG_RULE_FILES_MAX, sizeof(*paths));
    if (paths == NULL) {
        return;
    }
    for (const struct yaml_node *v = first; v != NULL; v = v == node ? NULL : v->next) {
        if (r->config->rule_file_count == CONFIG_RULE_FILES_MAX) {
            yaml_fault(r->yaml, v, "more than %d files; join some", CONFIG_RULE_FILES_MAX);
            return;
        }
        r->config->rule_file_count += yaml_to_text(r->yaml, v, &paths[r->config->rule_file_count]);
    }
    r->config->rule_files = paths;
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

static void read_sender(struct yaml *yaml, const struct yaml_node *node, struct config_input *input)
{
    if (node == NULL || !yaml_to_text(yaml, node, &input->sender)) {
        return;
    }
    const char *wrong = sender_template_check(span_of(input->sender));
    if (wrong != NULL) {
        yaml_fault(yaml, node, "%s; it should look like b+{campaign}.{}@{tenant}.bounce.example",
                   wrong);
    }
}

static bool read_name(struct yaml *yaml,
                      const struct yaml_node *node,
                      const struct config_input *input,
                      const char **out)
{
    const char *name;
    if (node == NULL || !yaml_to_text(yaml, node, &name)) {
        return false;
    }
    const char *wrong = decode_name_check(input->format, span_of(name));
    if (wrong != NULL) {
        yaml_fault(yaml, node, "`%s` in records of %s: %s", name, format_name(input->format),
                   wrong);
        return false;
    }
    *out = name;
    return true;
}

static bool find_field(struct span name, size_t *out)
{
    for (size_t i = 0; i < DECODE_FIELD_COUNT; i++) {
        if (span_equal(span_of(DECODE_FIELD_NAMES[i]), name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void wrong_field(struct yaml *yaml, const struct yaml_node *node)
{
    char list[256] = "";
    struct writer out = writer_init(list, sizeof(list) - 1);
    for (size_t i = 0; i < DECODE_FIELD_COUNT; i++) {
        put_bytes(&out, i == 0 ? SPAN("") : SPAN(", "));
        put_bytes(&out, span_of(DECODE_FIELD_NAMES[i]));
    }
    yaml_fault(yaml, node, "an event has no such field; there are: %s", list);
}

/* `fields: {recipient: rcpt.address, code: smtp_code}`. True if there is one. */
static bool read_fields(struct yaml *yaml,
                        const struct yaml_node *map,
                        const struct config_input *input,
                        const char **out)
{
    size_t count = 0;
    if (map == NULL || yaml_to_map(yaml, map) == NULL) {
        return false;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        size_t field = 0;
        const char *path;
        if (!find_field(node->key, &field)) {
            wrong_field(yaml, node);
            continue;
        }
        if (!yaml_to_text(yaml, node, &path)) {
            continue;
        }
        const char *wrong = decode_field_check(input->format, span_of(path));
        if (wrong != NULL) {
            yaml_fault(yaml, node, "`%s` in records of %s: %s", path, format_name(input->format),
                       wrong);
            continue;
        }
        out[field] = path;
        count++;
    }
    return count > 0;
}

/* What it means depends on the format. */
static void read_names(struct reading *r, const struct yaml_node *node, struct config_input *input)
{
    struct decode_names *names = take_memory(r, 1, sizeof(*names));
    if (names == NULL || node->kind != YAML_MAP) {
        return;
    }
    const bool has_tenant =
        read_name(r->yaml, yaml_find(node, "tenant_from"), input, &names->tenant_from);
    const bool has_campaign =
        read_name(r->yaml, yaml_find(node, "campaign_from"), input, &names->campaign_from);
    const bool has_fields = read_fields(r->yaml, yaml_find(node, "fields"), input, names->fields);
    if (has_tenant || has_campaign || has_fields) {
        input->names = names;
    }
}

/* `mail.events: kumomta` is short for `mail.events: {format: kumomta}`. */
static bool read_input(struct reading *r, const struct yaml_node *node, struct config_input *input)
{
    struct yaml *yaml = r->yaml;
    if (!is_topic(node->key)) {
        yaml_fault(yaml, node,
                   "no name of a Kafka topic: letters, digits, `.`, `_` and `-`, at "
                   "most %d",
                   CONFIG_TOPIC_SIZE_MAX);
        return false;
    }
    const struct yaml_node *format = node;
    if (node->kind != YAML_SCALAR) {
        if (yaml_to_map(yaml, node) == NULL) {
            return false;
        }
        yaml_known_keys(yaml, node, CONFIG_INPUT_FIELDS, CONFIG_INPUT_FIELD_COUNT);
        (void)yaml_to_bool(yaml, yaml_find(node, "commands"), &input->commands);
        (void)yaml_to_text(yaml, yaml_find(node, "tenant"), &input->tenant);
        (void)yaml_to_text(yaml, yaml_find(node, "campaign"), &input->campaign);
        (void)yaml_to_text(yaml, yaml_find(node, "columns"), &input->columns);
        read_sender(yaml, yaml_find(node, "sender"), input);
        format = yaml_find(node, "format");
    }
    const char *name = "";
    if (format != NULL && !yaml_to_text(yaml, format, &name)) {
        return false;
    }
    if (*name == '\0') {
        yaml_fault(yaml, node,
                   "in which format are its records? Say `format: auto` below it, or which");
        return false;
    }
    input->topic = node->key.data;
    input->format = format_find(span_of(name));
    if (input->format == NULL) {
        wrong_format(yaml, format, name);
        return false;
    }
    read_names(r, node, input);
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
        if (!is_input_start(node) && read_input(r, node, &inputs[r->config->input_count])) {
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
    if (!yaml_to_choice(r->yaml, node, CONFIG_PRESETS, CONFIG_PRESET_HANDSHAKE + 1, &preset)) {
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
    const int64_t session_ms = config->session_timeout_ms;
    const int64_t poll_ms =
        property_ms(config, "max.poll.interval.ms",
                    session_ms > MAX_POLL_INTERVAL_MS ? session_ms : MAX_POLL_INTERVAL_MS);
    const int64_t heartbeat_ms =
        property_ms(config, "heartbeat.interval.ms", session_ms / HEARTBEATS_PER_SESSION);
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
        {session_ms <= poll_ms, "session.timeout",
         "may not be longer than kafka.max.poll.interval.ms"},
        {heartbeat_ms * 3 <= session_ms, "session.timeout",
         "must be at least three times kafka.heartbeat.interval.ms"},
        {config->watchdog_timeout_ms > 2 * transaction_ms + COMMIT_EXTRA_MS, "watchdog.timeout",
         "must be more than twice transaction.timeout and 30 s, or it ends "
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

/* What check_keys() has told already needs no second fault. */
static bool is_other_than_map(const struct reading *r, const char *path)
{
    const struct yaml_node *node = find(r->root, path);
    return node != NULL && node->kind != YAML_MAP;
}

static void check_kafka_is_there(struct reading *r)
{
    const struct config *config = r->config;
    if (!is_other_than_map(r, "kafka") && !has_property(config, "bootstrap.servers") &&
        !has_property(config, "metadata.broker.list")) {
        yaml_fault(r->yaml, find_or_root(r->root, "kafka"),
                   "where is Kafka? Say `bootstrap.servers: HOST:9092` below `kafka:`, or --set "
                   "kafka.bootstrap.servers=HOST:9092");
    }
    if (config->workers_intake > 0 && !is_other_than_map(r, "input") && !has_input(r)) {
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
    config_override(yaml, &sources);
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
    read_rule_files(&r);
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
    return CONFIG_PRESETS[preset];
}
