/* base/json_reader.cc - see json.h.
 *
 * simdjson's DOM parser reads and checks the whole text with the widest instructions that the
 * machine has; its tape becomes our array of nodes. On-demand was measured too: built for a plain
 * x86-64 it runs without those, and it skips over what is not asked for, so `{"size":12abc}`
 * passes. It only serves to find the place of what is wrong, because the DOM parser does not tell.
 *
 * No exception is thrown or passes: simdjson is used without, memory comes from malloc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define SIMDJSON_EXCEPTIONS 0

#include "base/json.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include <simdjson.h>

#include "base/utf8.h"

using namespace simdjson;

struct json_reader {
    dom::parser parser;
    ondemand::parser locating;
    char *buffer;
    size_t capacity; /* without the padding */
    json_node *nodes;
    uint32_t node_count;
    uint32_t depth_max;
};

namespace
{

constexpr size_t CAPACITY_MIN = size_t{16} * 1024;

size_t round_up(size_t size)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < size) {
        capacity *= 2;
    }
    return capacity;
}

span span_of_view(std::string_view view)
{
    return span{view.data(), view.size()};
}

/* --- from the tape to nodes
 *
 * False: JSON_NODES_MAX is reached. The parser has bounded the depth, so this recursion is.
 */

bool flatten(json_reader &reader, dom::element element, span key);

bool flatten_members(json_reader &reader, dom::object object)
{
    for (const dom::key_value_pair member : object) {
        if (!flatten(reader, member.value, span_of_view(member.key))) {
            return false;
        }
    }
    return true;
}

bool flatten_elements(json_reader &reader, dom::array array)
{
    for (const dom::element element : array) {
        if (!flatten(reader, element, span{nullptr, 0})) {
            return false;
        }
    }
    return true;
}

bool fill(json_reader &reader, json_node &node, dom::element element)
{
    /* The types are known here: the errors of get() cannot happen. */
    switch (element.type()) {
    case dom::element_type::OBJECT:
        node.kind = JSON_OBJECT;
        return flatten_members(reader, element.get_object().value_unsafe());
    case dom::element_type::ARRAY:
        node.kind = JSON_ARRAY;
        return flatten_elements(reader, element.get_array().value_unsafe());
    case dom::element_type::STRING:
        node.kind = JSON_STRING;
        node.text = span_of_view(element.get_string().value_unsafe());
        return true;
    case dom::element_type::INT64:
        node.kind = JSON_INTEGER;
        node.integer = element.get_int64().value_unsafe();
        return true;
    case dom::element_type::UINT64: /* beyond INT64_MAX */
        node.kind = JSON_REAL;
        node.real = static_cast<double>(element.get_uint64().value_unsafe());
        return true;
    case dom::element_type::DOUBLE:
        node.kind = JSON_REAL;
        node.real = element.get_double().value_unsafe();
        return true;
    case dom::element_type::BOOL:
        node.kind = JSON_BOOL;
        node.integer = element.get_bool().value_unsafe() ? 1 : 0;
        return true;
    default:
        node.kind = JSON_NULL;
        return true;
    }
}

bool flatten(json_reader &reader, dom::element element, span key)
{
    if (reader.node_count == JSON_NODES_MAX) {
        return false;
    }
    json_node &node = reader.nodes[reader.node_count++];
    node = json_node{};
    node.key = key;
    const bool good = fill(reader, node, element);
    node.count = static_cast<uint32_t>(&reader.nodes[reader.node_count] - &node);
    return good;
}

/* --- what is wrong, and where -------------------------------------------------------------------
 */

/* Follows the text up to the first token that cannot stand there. */
class locator
{
  public:
    const char *at; /* the token in hand */

    locator(const char *start, uint32_t depth_max) : at(start), depth_left(depth_max)
    {
    }

    error_code value(ondemand::value value)
    {
        ondemand::json_type type;
        at = value.raw_json_token().data();
        SIMDJSON_TRY(value.type().get(type));
        if (type == ondemand::json_type::object) {
            return depth_left == 0 ? DEPTH_ERROR : members(value);
        }
        if (type == ondemand::json_type::array) {
            return depth_left == 0 ? DEPTH_ERROR : elements(value);
        }
        return scalar(value, type);
    }

  private:
    uint32_t depth_left;

    error_code members(ondemand::value &value)
    {
        ondemand::object object;
        depth_left--;
        SIMDJSON_TRY(value.get_object().get(object));
        for (auto result : object) {
            SIMDJSON_TRY(result.error());
            ondemand::field &field = result.value_unsafe();
            std::string_view key;
            at = field.key().raw() - 1;
            SIMDJSON_TRY(field.unescaped_key().get(key));
            SIMDJSON_TRY(this->value(field.value()));
        }
        depth_left++;
        return SUCCESS;
    }

    error_code elements(ondemand::value &value)
    {
        ondemand::array array;
        depth_left--;
        SIMDJSON_TRY(value.get_array().get(array));
        for (auto result : array) {
            SIMDJSON_TRY(result.error());
            SIMDJSON_TRY(this->value(result.value_unsafe()));
        }
        depth_left++;
        return SUCCESS;
    }

    static error_code scalar(ondemand::value &value, ondemand::json_type type)
    {
        switch (type) {
        case ondemand::json_type::string:
            return value.get_string().error();
        case ondemand::json_type::number:
            return value.get_double().error();
        case ondemand::json_type::boolean:
            return value.get_bool().error();
        default:
            return value.raw_json_token().substr(0, 4) == "null" ? SUCCESS : N_ATOM_ERROR;
        }
    }
};

size_t locate_with(ondemand::parser &parser, const json_reader &reader, span text)
{
    ondemand::document document;
    ondemand::value root;
    locator locator(text.data, reader.depth_max);
    const size_t room = static_cast<size_t>(reader.buffer + reader.capacity - text.data);
    if (parser.iterate(text.data, text.size, room + SIMDJSON_PADDING).get(document) == SUCCESS &&
        document.get_value().get(root) == SUCCESS) {
        (void)locator.value(root);
    }
    return static_cast<size_t>(locator.at - text.data);
}

/* Of many short texts that are wrong the memory is kept; of a long one it would be as much again as the text needs. */
size_t locate(json_reader &reader, span text)
{
    if (text.size <= CAPACITY_MIN) {
        return locate_with(reader.locating, reader, text);
    }
    ondemand::parser parser;
    return locate_with(parser, reader, text);
}

/* Where the strings go wrong that simdjson only says are wrong: at a control character in one, or
 * where the one begins that is not closed. */
size_t string_fault_position(span text)
{
    size_t start = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            inside = !inside;
            start = i;
        } else if (inside && text.data[i] == '\\') {
            i++;
        } else if (inside && static_cast<unsigned char>(text.data[i]) < 0x20) {
            return i;
        }
    }
    return start;
}

/* Where the brackets get deeper than they may, in a text whose strings are closed. */
size_t depth_fault_position(span text, uint32_t depth_max)
{
    uint32_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        if (inside) {
            i += c == '\\' ? 1 : 0;
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            if (depth++ == depth_max) {
                return i;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return 0;
}

json_fault describe(json_reader &reader, span text, error_code error)
{
    switch (error) {
    case INDEX_OUT_OF_BOUNDS:
        return json_fault{"too many values in one record", 0};
    case EMPTY:
        return json_fault{"not JSON: nothing there", 0};
    case UTF8_ERROR:
        return json_fault{"not JSON: bytes that are no UTF-8", utf8_valid_size(text)};
    case UNCLOSED_STRING:
        return json_fault{"not JSON: an unclosed string", string_fault_position(text)};
    case UNESCAPED_CHARS:
        return json_fault{"not JSON: a control character in a string", string_fault_position(text)};
    case STRING_ERROR:
        return json_fault{"not JSON: a wrong escape in a string", locate(reader, text)};
    case NUMBER_ERROR:
        return json_fault{"not JSON: no number, or one too big", locate(reader, text)};
    case DEPTH_ERROR:
        return json_fault{"nested too deeply", depth_fault_position(text, reader.depth_max)};
    case MEMALLOC:
    case CAPACITY:
        return json_fault{"no memory to read a record of this size", 0};
    default:
        return json_fault{"not JSON: a comma, colon, quote, bracket or word is wrong",
                          locate(reader, text)};
    }
}

error_code read_text(json_reader &reader, span text)
{
    if (reader.parser.capacity() <= text.size) {
        const size_t capacity = round_up(text.size + 1);
        SIMDJSON_TRY(reader.parser.allocate(capacity, reader.depth_max + 1));
        SIMDJSON_TRY(reader.parser.doc.allocate(capacity));
    }
    dom::element root;
    SIMDJSON_TRY(reader.parser.parse(text.data, text.size, false).get(root));
    return flatten(reader, root, span{nullptr, 0}) ? SUCCESS : INDEX_OUT_OF_BOUNDS;
}

bool grow(json_reader &reader, size_t size)
{
    /* What was loaded before is over: no need for realloc() to carry it along. */
    std::free(reader.buffer);
    reader.capacity = round_up(size);
    reader.buffer = static_cast<char *>(std::malloc(reader.capacity + SIMDJSON_PADDING));
    if (reader.buffer == nullptr) {
        reader.capacity = 0;
    }
    return reader.buffer != nullptr;
}

} // namespace

extern "C" {

enum err json_reader_create(uint32_t depth_max, struct json_reader **out)
{
    json_reader *reader = new (std::nothrow) json_reader();
    if (reader == nullptr) {
        return ERR_NO_MEMORY;
    }
    reader->depth_max = depth_max;
    reader->nodes = static_cast<json_node *>(std::calloc(JSON_NODES_MAX, sizeof(json_node)));
    if (reader->nodes == nullptr || !grow(*reader, 0)) {
        json_reader_destroy(&reader);
        return ERR_NO_MEMORY;
    }
    *out = reader;
    return OK;
}

void json_reader_destroy(struct json_reader **reader)
{
    if (*reader == nullptr) {
        return;
    }
    std::free((*reader)->nodes);
    std::free((*reader)->buffer);
    delete *reader;
    *reader = nullptr;
}

enum err json_load(struct json_reader *reader, struct span bytes, struct span *out)
{
    if (bytes.size > reader->capacity && !grow(*reader, bytes.size)) {
        return ERR_NO_MEMORY;
    }
    if (bytes.size > 0) {
        std::memcpy(reader->buffer, bytes.data, bytes.size);
    }
    /* A number at the very end must not go on with the digits of an older, longer record. */
    std::memset(reader->buffer + bytes.size, ' ', SIMDJSON_PADDING);
    *out = span{reader->buffer, bytes.size};
    return OK;
}

const struct json_node *json_read(struct json_reader *reader,
                                  struct span text,
                                  struct json_fault *fault)
{
    reader->node_count = 0;
    const error_code error = read_text(*reader, text);
    if (error != SUCCESS) {
        *fault = describe(*reader, text, error);
        return nullptr;
    }
    return reader->nodes;
}

} // extern "C"
