/* consumer/config_table.c - every key of the configuration, and the table told to people.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/config_table.h"

#include <inttypes.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const STARTS[] = {"earliest", "latest", NULL};
static const char *const WISHES[] = {"global", "dead_letter", NULL};
static const char *const SCOPES[] = {"global", "tenant", NULL};
const char *const CONFIG_PRESETS[] = {"default", "careful", "handshake", NULL};
static const char *const LEVELS[] = {"debug", "info", "warn", "error", NULL};

#define AT(field) offsetof(struct config, field)

/* clang-format off */
const struct config_key CONFIG_KEYS[] = {
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

    {"topics.events", NULL, TYPE_TOPIC, AT(topic_events), NULL, "APPLICATION_ID-events", 1, CONFIG_TOPIC_SIZE_MAX, NULL,
     "Packed observations, from intake to shards."},
    {"topics.changelog", NULL, TYPE_TOPIC, AT(topic_changelog), NULL, "APPLICATION_ID-changelog", 1, CONFIG_TOPIC_SIZE_MAX, NULL,
     "What is remembered of each recipient; compacted."},
    {"topics.suppressions", NULL, TYPE_TOPIC, AT(topic_suppressions), "suppressions", NULL, 1, CONFIG_TOPIC_SIZE_MAX, NULL,
     "Who may not be mailed now; compacted; what senders follow."},
    {"topics.decisions", NULL, TYPE_TOPIC, AT(topic_decisions), NULL, "APPLICATION_ID-decisions", 1, CONFIG_TOPIC_SIZE_MAX, NULL,
     "Every suppress and release with the failures it rests on."},
    {"topics.dead_letters", NULL, TYPE_TOPIC, AT(topic_dead_letters), NULL, "APPLICATION_ID-dead-letters", 1, CONFIG_TOPIC_SIZE_MAX, NULL,
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
     "Take the address as the sender wrote it (ORCPT and its kin) before the one that it was rewritten to."},

    {"rules.files", NULL, TYPE_FILES, AT(rule_files), "[]", NULL, 0, CONFIG_RULE_FILES_MAX, NULL,
     "Files with rules of your own for replies; they win over those that ship with the program."},

    {"policy.preset", NULL, TYPE_CHOICE, AT(policy_preset), "default", NULL, 0, 0, CONFIG_PRESETS,
     "Which rules judge: careful counts final failures only, handshake moreover gives more time."},
    {"policy.mailbox_scope", NULL, TYPE_CHOICE, AT(policy_mailbox_scope), "global", NULL, 0, 0, SCOPES,
     "Whether all tenants share what is known of a mailbox, or each has its own."},
    {"policy.wish_without_tenant", NULL, TYPE_CHOICE, AT(policy_wish_without_tenant), "global", NULL, 0, 0, WISHES,
     "What a complaint or unsubscribe does of which nobody knows the tenant: hold for all, or go to the dead letters."},

    {"log.level", NULL, TYPE_CHOICE, AT(log_level), "info", NULL, 0, 0, LEVELS,
     "Lines below this level are not written."},
};
/* clang-format on */

_Static_assert(sizeof(CONFIG_KEYS) / sizeof(CONFIG_KEYS[0]) == CONFIG_KEY_COUNT,
               "CONFIG_KEY_COUNT counts the keys");

const char *const CONFIG_FREE_MAPS[CONFIG_FREE_MAP_COUNT] = {"kafka", "policy.tenants"};
const char *const CONFIG_INPUT_FIELDS[CONFIG_INPUT_FIELD_COUNT] = {
    "format",      "commands",      "tenant",  "campaign", "sender",
    "tenant_from", "campaign_from", "columns", "fields"};

bool config_path_next(const char **path, char out[CONFIG_PATH_SIZE_MAX])
{
    if (**path == '\0') {
        return false;
    }
    const size_t size = strcspn(*path, ".");
    CHECK(size < CONFIG_PATH_SIZE_MAX);
    memcpy(out, *path, size);
    out[size] = '\0';
    *path += size;
    *path += **path == '.';
    return true;
}

bool config_is_free_map(const char *path)
{
    for (size_t i = 0; i < CONFIG_FREE_MAP_COUNT; i++) {
        if (strcmp(path, CONFIG_FREE_MAPS[i]) == 0) {
            return true;
        }
    }
    return strcmp(path, "input") == 0;
}

bool config_path_is_below(const char *name, const char *path)
{
    const size_t size = strlen(path);
    return name != NULL && strncmp(name, path, size) == 0 && name[size] == '.';
}

bool config_is_key(const char *path)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(path, CONFIG_KEYS[i].name) == 0 ||
            (CONFIG_KEYS[i].alias != NULL && strcmp(path, CONFIG_KEYS[i].alias) == 0)) {
            return true;
        }
    }
    return false;
}

bool config_is_group(const char *path)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (config_path_is_below(CONFIG_KEYS[i].name, path) ||
            config_path_is_below(CONFIG_KEYS[i].alias, path)) {
            return true;
        }
    }
    return false;
}

const char *config_path_last(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
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

static void print_amount(FILE *out, enum config_type type, int64_t amount)
{
    const struct unit *unit = type == TYPE_DURATION ? DURATION_UNITS
                              : type == TYPE_SIZE   ? SIZE_UNITS
                                                    : NUMBER_UNITS;
    while (unit->size > 1 && (amount == 0 || amount % unit->size != 0)) {
        unit++;
    }
    (void)fprintf(out, "%" PRId64 "%s", amount / unit->size, unit->name);
}

static void print_bounds(FILE *out, const struct config_key *row)
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
    case TYPE_FILES:
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
     "{format: auto, commands: false, tenant_from: NAME, campaign_from: NAME, sender: TEMPLATE, "
     "tenant: NAME, campaign: NAME, columns: NAMES}: a topic of mail events. "
     "commands: true lets it carry an operator's suppress and release. tenant_from and "
     "campaign_from name the header of the mail, or the field of the record, that holds the tenant "
     "and the campaign (README.md, Formats); where they do not stand, they are looked for where "
     "the format has them, then in the return path, as in sender: "
     "'b+{campaign}.{}@{tenant}.bounce.example'; tenant and campaign are those of events that name "
     "none. columns: "
     "type,timeLogged,... are those of PowerMTA's rows without headings. fields: {recipient: "
     "rcpt.address, code: reply} says where records that scripts of Halon's write hold what."},
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
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *row = &CONFIG_KEYS[i];
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
    char open[CONFIG_PATH_SIZE_MAX] = "";
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *row = &CONFIG_KEYS[i];
        const char *rest = row->name;
        char group[CONFIG_PATH_SIZE_MAX];
        (void)config_path_next(&rest, group);
        const bool is_nested = *rest != '\0';
        if (is_nested && strcmp(group, open) != 0) {
            (void)fprintf(out, "%s:\n", group);
            memcpy(open, group, sizeof(open));
        }
        const char *indent = is_nested ? "  " : "";
        (void)fprintf(out, "%s# %s\n", indent, row->sentence);
        (void)fprintf(out, "%s%s%s: %s\n", indent, row->fallback != NULL ? "" : "# ",
                      config_path_last(row->name),
                      row->fallback != NULL ? row->fallback : row->derived);
    }
}
