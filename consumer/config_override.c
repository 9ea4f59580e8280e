/* consumer/config_override.c - see config_override.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/config_override.h"

#include <ctype.h>

#include "consumer/config_table.h"

enum { ASSIGNMENT_SIZE_MAX = 4096 };

/* input.mail.fields.code=reply, input.mail.fields={code: reply}: where the topic's name ends, NULL if it is none of these. */
static const char *fields_of_topic(const char *topic, const char *value)
{
    static const struct span FIELDS = {".fields", sizeof(".fields") - 1};
    const struct span path = {topic, (size_t)(value - topic)};
    if (value[1] == '{') {
        const bool is_map =
            path.size > FIELDS.size && span_equal(span_skip(path, path.size - FIELDS.size), FIELDS);
        return is_map ? value - FIELDS.size : NULL;
    }
    for (size_t i = 0; i < DECODE_FIELD_COUNT; i++) {
        char end[64];
        const int size = snprintf(end, sizeof(end), ".fields.%s", DECODE_FIELD_NAMES[i]);
        if (size > 0 && path.size > (size_t)size &&
            span_equal(span_skip(path, path.size - (size_t)size),
                       (struct span){end, (size_t)size})) {
            return value - size;
        }
    }
    return NULL;
}

/* input.mail.events.format=kumomta: topics have dots in their names, so the last component is the
 * field if it is one, and all before it is the topic; a value that is a map, and a last component
 * that is no field (input.mail.events=kumomta is short for its format), mean that all of it is the
 * topic; `fields` is a map, or has a field of an event behind it. input.start is itself. Writes what yaml_set() understands without guessing. */
static void quote_topic(const char *assignment, char out[ASSIGNMENT_SIZE_MAX])
{
    const char *value = strchr(assignment, '=');
    (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "%s", assignment);
    if (value == NULL || !config_path_is_below(assignment, "input") ||
        memchr(assignment, '"', (size_t)(value - assignment)) != NULL) {
        return;
    }
    const char *topic = assignment + strlen("input.");
    const int size = (int)(value - topic);
    if (size <= 0 || strncmp(topic, "start=", strlen("start=")) == 0) {
        return;
    }
    const char *fields = fields_of_topic(topic, value);
    if (fields != NULL) {
        (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "input.\"%.*s\"%s", (int)(fields - topic), topic,
                       fields);
        return;
    }
    const char *dot = memrchr(topic, '.', (size_t)size);
    for (size_t i = 0; dot != NULL && value[1] != '{' && i < CONFIG_INPUT_FIELD_COUNT; i++) {
        const struct span field = {dot + 1, (size_t)(value - dot - 1)};
        if (span_equal(field, span_of(CONFIG_INPUT_FIELDS[i]))) {
            (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "input.\"%.*s\"%s", (int)(dot - topic), topic,
                           dot);
            return;
        }
    }
    (void)snprintf(out, ASSIGNMENT_SIZE_MAX, "input.\"%.*s\"%s%s", size, topic,
                   value[1] == '{' ? "" : ".format", value);
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
    const bool is_ours = has_levels || config_is_key(out);
    (void)snprintf(out + size, ASSIGNMENT_SIZE_MAX - size, "%s", value);
    return is_ours;
}

static void set_one(struct yaml *yaml, const char *given_by, const char *assignment)
{
    char quoted[ASSIGNMENT_SIZE_MAX];
    if (strlen(assignment) > ASSIGNMENT_SIZE_MAX / 2 - 2) {
        yaml_fault(yaml, yaml_root(yaml), "too long for %s: %.40s...", given_by, assignment);
        return;
    }
    quote_topic(assignment, quoted);
    yaml_set(yaml, given_by, quoted,
             &(const struct free_maps){CONFIG_FREE_MAPS, CONFIG_FREE_MAP_COUNT});
}

void config_override(struct yaml *yaml, const struct config_sources *sources)
{
    for (const char *const *variable = sources->environment; variable != NULL && *variable != NULL;
         variable++) {
        char assignment[ASSIGNMENT_SIZE_MAX];
        if (from_environment(*variable, assignment)) {
            set_one(yaml, "environment", assignment);
        }
    }
    for (size_t i = 0; i < sources->assignment_count; i++) {
        set_one(yaml, "--set", sources->assignments[i]);
    }
}
