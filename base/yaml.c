/* base/yaml.c - see yaml.h; the typed readers are in yaml_take.c.
 *
 * libyaml gives events with marks; this makes a tree of them, by recursive descent that is bounded
 * by YAML_DEPTH_MAX. Nodes and texts live in one arena of chunks, so closing is one loop and no
 * pointer into the tree ever moves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/log.h"

enum { CHUNK_SIZE = 16 * 1024, FAULT_SIZE_MAX = 1024, PATH_SIZE_MAX = 256 };

struct chunk {
    struct chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

struct yaml {
    struct chunk *chunks;
    struct yaml_node *root;
    size_t node_count;
    const char *faults[YAML_FAULTS_MAX];
    size_t fault_count;
    bool out_of_memory;
};

/* What one run of libyaml's parser needs to know. */
struct parse {
    struct yaml *yaml;
    yaml_parser_t *parser;
    yaml_event_t event; /* the one in hand */
    const char *source;
    bool is_file; /* lines mean something */
    size_t depth;
    struct span key; /* of the value to come, and its line */
    uint32_t key_line;
    char problem[256]; /* why the text is no YAML; empty: it is */
    uint32_t problem_line;
};

/* --- arena --------------------------------------------------------------------------------------
 */

static void *arena_take(struct yaml *yaml, size_t size)
{
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct chunk *chunk = yaml->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        const size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof(*chunk) + room);
        if (chunk == NULL) {
            yaml->out_of_memory = true;
            return NULL;
        }
        *chunk = (struct chunk){.next = yaml->chunks, .size = room};
        yaml->chunks = chunk;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return taken;
}

/* A copy with NUL behind it. */
static struct span arena_copy(struct yaml *yaml, struct span text)
{
    char *copy = arena_take(yaml, text.size + 1);
    if (copy == NULL) {
        return SPAN_NONE;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return (struct span){copy, text.size};
}

/* --- faults -------------------------------------------------------------------------------------
 */

static void put_path(struct writer *out, const struct yaml_node *node)
{
    if (node->parent == NULL) {
        return;
    }
    put_path(out, node->parent);
    /* A node that is still being parsed is not linked yet: it is then the last of its list. */
    if (node->parent->kind == YAML_MAP) {
        if (node->parent->parent != NULL) {
            put_bytes(out, SPAN("."));
        }
        put_bytes(out, node->key);
        return;
    }
    size_t index = 1;
    for (const struct yaml_node *item = node->parent->first; item != NULL && item != node;
         item = item->next) {
        index++;
    }
    char text[32];
    const int size = snprintf(text, sizeof(text), "[%zu]", index);
    put_bytes(out, (struct span){text, (size_t)size});
}

static void put_place(struct writer *out, const struct yaml_node *node)
{
    char line[32];
    put_bytes(out, span_of(node->source));
    if (node->line > 0) {
        const int size = snprintf(line, sizeof(line), ":%u", node->line);
        put_bytes(out, (struct span){line, (size_t)size});
    }
    put_bytes(out, SPAN(": "));
    char path_memory[PATH_SIZE_MAX];
    struct writer path = writer_init(path_memory, sizeof(path_memory));
    put_path(&path, node);
    if (path.size > 0) {
        put_bytes(out, writer_span(&path));
        put_bytes(out, SPAN(": "));
    }
}

void yaml_fault(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
{
    const size_t index = yaml->fault_count++;
    if (index >= YAML_FAULTS_MAX) {
        return;
    }
    yaml->faults[index] = "out of memory";
    char memory[FAULT_SIZE_MAX];
    struct writer out = writer_init(memory, sizeof(memory));
    put_place(&out, node);
    va_list arguments;
    va_start(arguments, format);
    const size_t room = out.capacity - out.size;
    const int wanted = vsnprintf(out.data + out.size, room, format, arguments);
    va_end(arguments);
    if (wanted > 0) {
        out.size += (size_t)wanted < room ? (size_t)wanted : room - 1;
    }
    const struct span copy = arena_copy(yaml, writer_span(&out));
    if (copy.data != NULL) {
        yaml->faults[index] = copy.data;
    }
}

size_t yaml_fault_count(const struct yaml *yaml)
{
    return yaml->fault_count;
}

const char *yaml_fault_at(const struct yaml *yaml, size_t i)
{
    CHECK(i < yaml->fault_count && i < YAML_FAULTS_MAX);
    return yaml->faults[i];
}

enum err yaml_report(const struct yaml *yaml)
{
    for (size_t i = 0; i < yaml->fault_count && i < YAML_FAULTS_MAX; i++) {
        log_error("%s", yaml->faults[i]);
    }
    if (yaml->fault_count > YAML_FAULTS_MAX) {
        log_error("%zu more faults are not shown", yaml->fault_count - YAML_FAULTS_MAX);
    }
    return yaml->fault_count == 0 ? OK : ERR_BAD_CONFIG;
}

/* --- from events to nodes -----------------------------------------------------------------------
 */

/* Not YAML, or more of it than we take: the parse ends here. */
static bool parse_problem(struct parse *parse, size_t line, const char *words)
{
    (void)snprintf(parse->problem, sizeof(parse->problem), "%s", words);
    parse->problem_line = (uint32_t)line + 1;
    return false;
}

static bool parse_next(struct parse *parse)
{
    yaml_event_delete(&parse->event);
    if (yaml_parser_parse(parse->parser, &parse->event) != 0) {
        return true;
    }
    const yaml_parser_t *parser = parse->parser;
    char words[256];
    (void)snprintf(words, sizeof(words), "not YAML: %s%s%s",
                   parser->problem == NULL ? "out of memory" : parser->problem,
                   parser->context == NULL ? "" : " ",
                   parser->context == NULL ? "" : parser->context);
    const bool reader_failed = parser->error == YAML_READER_ERROR;
    return parse_problem(parse, reader_failed ? 0 : parser->problem_mark.line, words);
}

static struct yaml_node *node_make(struct parse *parse,
                                   enum yaml_kind kind,
                                   const struct yaml_node *parent)
{
    const size_t line = parse->event.start_mark.line;
    if (++parse->yaml->node_count > YAML_NODES_MAX) {
        (void)parse_problem(parse, line, "too many values for one file");
        return NULL;
    }
    struct yaml_node *node = arena_take(parse->yaml, sizeof(*node));
    if (node != NULL) {
        *node = (struct yaml_node){.kind = kind,
                                   .line = (uint32_t)line + 1,
                                   .source = parse->source,
                                   .key = parse->key,
                                   .parent = parent};
        if (parse->key.data != NULL) {
            node->line = parse->key_line;
            parse->key = SPAN_NONE;
        }
        if (!parse->is_file) {
            node->line = 0;
        }
    }
    return node;
}

static bool has_nul(struct span text)
{
    return text.size > 0 && memchr(text.data, '\0', text.size) != NULL;
}

static struct span scalar_text(const yaml_event_t *event)
{
    return (struct span){(const char *)event->data.scalar.value, event->data.scalar.length};
}

static bool parse_node(struct parse *parse, const struct yaml_node *parent, struct yaml_node **out);

static bool parse_scalar(struct parse *parse,
                         const struct yaml_node *parent,
                         struct yaml_node **out)
{
    struct yaml_node *node = node_make(parse, YAML_SCALAR, parent);
    if (node == NULL) {
        return false;
    }
    const struct span text = scalar_text(&parse->event);
    node->plain = parse->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_copy(parse->yaml, text);
    if (node->text.data == NULL) {
        return false;
    }
    if (has_nul(text)) {
        return parse_problem(parse, parse->event.start_mark.line, "a NUL character in a value");
    }
    *out = node;
    return true;
}

static struct yaml_node *find_member(const struct yaml_node *map, struct span key)
{
    for (struct yaml_node *node = map->first; node != NULL; node = node->next) {
        if (span_equal(node->key, key)) {
            return node;
        }
    }
    return NULL;
}

/* Takes the key in hand and moves on to its value. */
static bool parse_key(struct parse *parse)
{
    const yaml_event_t *event = &parse->event;
    if (event->type != YAML_SCALAR_EVENT) {
        return parse_problem(parse, event->start_mark.line, "a key must be a plain word");
    }
    if (has_nul(scalar_text(event))) {
        return parse_problem(parse, event->start_mark.line, "a NUL character in a key");
    }
    parse->key = arena_copy(parse->yaml, scalar_text(event));
    parse->key_line = (uint32_t)event->start_mark.line + 1;
    return parse->key.data != NULL && parse_next(parse);
}

static bool parse_map(struct parse *parse, const struct yaml_node *parent, struct yaml_node **out)
{
    struct yaml_node *map = node_make(parse, YAML_MAP, parent);
    if (map == NULL || !parse_next(parse)) {
        return false;
    }
    struct yaml_node **end = &map->first;
    size_t count = 0;
    while (parse->event.type != YAML_MAPPING_END_EVENT) {
        struct yaml_node *node;
        if (++count > YAML_MEMBERS_MAX) {
            return parse_problem(parse, parse->event.start_mark.line, "too many keys in one map");
        }
        if (!parse_key(parse) || !parse_node(parse, map, &node)) {
            return false;
        }
        const struct yaml_node *first = find_member(map, node->key);
        if (first != NULL) {
            yaml_fault(parse->yaml, node, "stands here a second time (first in line %u); keep one",
                       first->line);
        } else {
            *end = node;
            end = &node->next;
        }
        if (!parse_next(parse)) {
            return false;
        }
    }
    *out = map;
    return true;
}

static bool parse_list(struct parse *parse, const struct yaml_node *parent, struct yaml_node **out)
{
    struct yaml_node *list = node_make(parse, YAML_LIST, parent);
    if (list == NULL || !parse_next(parse)) {
        return false;
    }
    struct yaml_node **end = &list->first;
    while (parse->event.type != YAML_SEQUENCE_END_EVENT) {
        if (!parse_node(parse, list, end)) {
            return false;
        }
        end = &(*end)->next;
        if (!parse_next(parse)) {
            return false;
        }
    }
    *out = list;
    return true;
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    default:
        return false;
    }
}

/* The value whose first event is in hand; its last one is in hand afterwards. */
static bool parse_node(struct parse *parse, const struct yaml_node *parent, struct yaml_node **out)
{
    const size_t line = parse->event.start_mark.line;
    if (parse->event.type == YAML_ALIAS_EVENT || has_anchor_or_tag(&parse->event)) {
        return parse_problem(parse, line,
                             "anchors (&), aliases (*) and tags (!) are not taken here; write the "
                             "value out, in quotes if it is text");
    }
    if (parse->event.type == YAML_SCALAR_EVENT) {
        return parse_scalar(parse, parent, out);
    }
    if (++parse->depth > YAML_DEPTH_MAX) {
        return parse_problem(parse, line, "nested too deeply");
    }
    const bool good = parse->event.type == YAML_MAPPING_START_EVENT
                          ? parse_map(parse, parent, out)
                          : parse_list(parse, parent, out);
    parse->depth--;
    return good;
}

static bool skip_events(struct parse *parse, int count)
{
    while (count > 0 && parse_next(parse)) {
        count--;
    }
    return count == 0;
}

/* Stream start, document start, the value, document end, stream end. *out stays NULL if there is
 * no value. */
static bool parse_document(struct parse *parse, struct yaml_node **out)
{
    if (!skip_events(parse, 2)) {
        return false;
    }
    if (parse->event.type == YAML_STREAM_END_EVENT) {
        return true;
    }
    if (!skip_events(parse, 1) || !parse_node(parse, NULL, out) || !skip_events(parse, 2)) {
        return false;
    }
    if (parse->event.type != YAML_STREAM_END_EVENT) {
        return parse_problem(parse, parse->event.start_mark.line,
                             "a second document; only one is read");
    }
    return true;
}

static bool parse_text(struct parse *parse, struct span text, struct yaml_node **out)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        parse->yaml->out_of_memory = true;
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.size);
    parse->parser = &parser;
    const bool good = parse_document(parse, out);
    yaml_event_delete(&parse->event);
    yaml_parser_delete(&parser);
    return good;
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* A node that stands in no text: a root that is missing, a map on the way of an assignment. */
static struct yaml_node *map_make(struct yaml *yaml,
                                  const char *source,
                                  const struct yaml_node *parent)
{
    struct yaml_node *map = arena_take(yaml, sizeof(*map));
    if (map != NULL) {
        *map = (struct yaml_node){.kind = YAML_MAP, .source = source, .parent = parent};
    }
    return map;
}

static bool is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text.size == 0 || span_equal(node->text, SPAN("~")) ||
            span_equal(node->text, SPAN("null")));
}

static void settle_root(struct yaml *yaml, const char *source, struct yaml_node *root)
{
    if (root != NULL && root->kind == YAML_MAP) {
        yaml->root = root;
        return;
    }
    if (root != NULL && !is_null(root)) {
        yaml_fault(yaml, root, "a file like this holds keys and values, `key: value`");
    }
    yaml->root = map_make(yaml, source, NULL);
}

static enum err fill(struct yaml *yaml, const char *name, struct span text)
{
    const char *source = arena_copy(yaml, span_of(name)).data;
    struct parse parse = {.yaml = yaml, .source = source, .is_file = true};
    struct yaml_node *root = NULL;
    if (text.size > YAML_SIZE_MAX) {
        log_error("%s: too big, the limit is %d bytes", name, YAML_SIZE_MAX);
        return ERR_BAD_CONFIG;
    }
    if (source != NULL && parse_text(&parse, text, &root)) {
        settle_root(yaml, source, root);
    }
    if (yaml->out_of_memory) {
        return ERR_NO_MEMORY;
    }
    if (parse.problem[0] != '\0') {
        log_error("%s:%u: %s", name, parse.problem_line, parse.problem);
        return ERR_BAD_CONFIG;
    }
    return OK;
}

enum err yaml_parse(const char *name, struct span text, struct yaml **out)
{
    struct yaml *yaml = calloc(1, sizeof(*yaml));
    if (yaml == NULL) {
        return ERR_NO_MEMORY;
    }
    const enum err err = fill(yaml, name, text);
    if (err != OK) {
        yaml_close(&yaml);
        return err;
    }
    *out = yaml;
    return OK;
}

static enum err read_failed(const char *path)
{
    char memory[128];
    log_error("%s: cannot be read: %s", path, strerror_r(errno, memory, sizeof(memory)));
    return ERR_IO;
}

static enum err read_all(const char *path, char *memory, size_t capacity, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return read_failed(path);
    }
    *size = fread(memory, 1, capacity, file);
    const enum err err = ferror(file) != 0 ? read_failed(path) : OK;
    (void)fclose(file);
    return err;
}

enum err yaml_open(const char *path, struct yaml **out)
{
    const size_t capacity = (size_t)YAML_SIZE_MAX + 1;
    char *memory = malloc(capacity);
    if (memory == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t size = 0;
    enum err err = read_all(path, memory, capacity, &size);
    if (err == OK) {
        err = yaml_parse(path, (struct span){memory, size}, out);
    }
    free(memory);
    return err;
}

void yaml_close(struct yaml **yaml)
{
    if (*yaml == NULL) {
        return;
    }
    struct chunk *chunk = (*yaml)->chunks;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(*yaml);
    *yaml = NULL;
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP) {
        return NULL;
    }
    const struct yaml_node *node = find_member(map, span_of(key));
    return node == NULL || is_null(node) ? NULL : node;
}

/* --- assignments --------------------------------------------------------------------------------
 */

/* Cuts the first name off a path: up to the first dot, or what stands in double quotes. */
static bool cut_name(struct span *path, struct span *name)
{
    const bool quoted = path->size > 0 && path->data[0] == '"';
    const struct span rest = {path->data + quoted, path->size - quoted};
    const char *end = memchr(rest.data, quoted ? '"' : '.', rest.size);
    if (end == NULL && quoted) {
        return false;
    }
    *name = (struct span){rest.data, end == NULL ? rest.size : (size_t)(end - rest.data)};
    const size_t used = name->size + (quoted ? 2 : 0);
    if (used < path->size && path->data[used] != '.') {
        return false;
    }
    const size_t skip = used < path->size ? used + 1 : used;
    *path = (struct span){path->data + skip, path->size - skip};
    return name->size > 0 && (used == skip || path->size > 0);
}

static void member_put(struct yaml *yaml,
                       struct yaml_node *map,
                       struct span key,
                       struct yaml_node *value)
{
    struct yaml_node **at = &map->first;
    while (*at != NULL && !span_equal((*at)->key, key)) {
        at = &(*at)->next;
    }
    value->key = arena_copy(yaml, key);
    value->next = *at == NULL ? NULL : (*at)->next;
    value->parent = map;
    *at = value;
}

static bool is_any_of(struct span path, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(path, span_of(paths[i]))) {
            return true;
        }
    }
    return false;
}

static struct yaml_node *map_put(struct yaml *yaml,
                                 const char *source,
                                 struct yaml_node *map,
                                 struct span key)
{
    struct yaml_node *child = find_member(map, key);
    if (child == NULL || child->kind != YAML_MAP) {
        child = map_make(yaml, source, map);
        if (child != NULL) {
            member_put(yaml, map, key, child);
        }
    }
    return child;
}

struct walk {
    struct yaml_node *map;
    struct span name; /* of the member of `map` to be set */
    struct span rest; /* of the path, not walked yet */
    bool is_free;     /* `map` takes any name, dots and all */
};

/* Walks all but the last name of the path and makes the maps on the way. False: it is no path. */
static bool walk_path(struct yaml *yaml,
                      const char *source,
                      const struct free_maps *free_maps,
                      struct walk *walk)
{
    const char *start = walk->rest.data;
    while (walk->map != NULL && cut_name(&walk->rest, &walk->name)) {
        if (walk->rest.size == 0) {
            return true;
        }
        walk->map = map_put(yaml, source, walk->map, walk->name);
        const struct span walked = {start, (size_t)(walk->rest.data - start) - 1};
        walk->is_free = is_any_of(walked, free_maps->paths, free_maps->count);
        if (walk->is_free) {
            walk->name = walk->rest;
            return walk->map != NULL;
        }
    }
    return false;
}

static void assignment_fault(struct yaml *yaml, const char *source, const char *words)
{
    const struct yaml_node place = {.kind = YAML_SCALAR, .source = source};
    yaml_fault(yaml, &place, "%s", words);
}

/* What stands for the file in faults: without the value, which may be a password. */
static const char *assignment_source(struct yaml *yaml, const char *given_by, struct span path)
{
    char memory[FAULT_SIZE_MAX / 2];
    struct writer out = writer_init(memory, sizeof(memory));
    put_bytes(&out, span_of(given_by));
    put_u8(&out, ' ');
    put_bytes(&out, span_cut(path, sizeof(memory) / 2));
    const struct span copy = arena_copy(yaml, writer_span(&out));
    return copy.data == NULL ? given_by : copy.data;
}

static struct yaml_node *text_make(struct yaml *yaml, const char *source, struct span text)
{
    struct yaml_node *node = map_make(yaml, source, NULL);
    if (node != NULL) {
        node->kind = YAML_SCALAR;
        node->text = arena_copy(yaml, text);
    }
    return node;
}

static struct yaml_node *parse_value(struct yaml *yaml, const char *source, struct span text)
{
    struct parse parse = {.yaml = yaml, .source = source};
    struct yaml_node *value = NULL;
    if (!parse_text(&parse, text, &value)) {
        assignment_fault(yaml, source, parse.problem);
        return NULL;
    }
    return value == NULL ? text_make(yaml, source, text) : value;
}

void yaml_set(struct yaml *yaml,
              const char *given_by,
              const char *assignment,
              const struct free_maps *free_maps)
{
    const char *equals = strchr(assignment, '=');
    const size_t size = equals == NULL ? strlen(assignment) : (size_t)(equals - assignment);
    const struct span path = {assignment, size};
    const char *source = assignment_source(yaml, given_by, path);
    struct walk walk = {.map = yaml->root, .rest = path};
    if (equals == NULL || !walk_path(yaml, source, free_maps, &walk)) {
        assignment_fault(yaml, source,
                         "an assignment is key.key=value; a key with dots stands in double quotes");
        return;
    }
    const struct span text = span_of(equals + 1);
    struct yaml_node *value =
        walk.is_free ? text_make(yaml, source, text) : parse_value(yaml, source, text);
    if (value != NULL) {
        member_put(yaml, walk.map, walk.name, value);
    }
}
