/* base/json_reader.cc - see json.h.
 *
 * simdjson's on-demand front end finds the tokens; one walk over them checks everything (also what
 * no decoder will look at: on-demand alone would skip over `{"size":12abc}`) and fills the array of
 * nodes. No exception is thrown or passes: simdjson is built without, memory comes from malloc.
 *
 * Strings: simdjson has checked that each is closed and holds no control characters. Two memchr()
 * find its end and whether it has escapes; only then is it copied (into the parser's own buffer,
 * which has room for each string of the text once).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define SIMDJSON_EXCEPTIONS 0

#include "base/json.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include <simdjson.h>

#include "base/utf8.h"

using namespace simdjson;

struct json_reader {
    ondemand::parser parser;
    char *buffer;
    size_t capacity; /* without the padding */
    json_node *nodes;
    uint32_t node_count;
    uint32_t depth;
    uint32_t depth_max;
    const char *at;    /* the token in hand */
    const char *words; /* a fault of our own; simdjson's are error codes */
};

namespace
{

constexpr size_t CAPACITY_MIN = 16 * 1024;

span span_of_view(std::string_view view)
{
    return span{view.data(), view.size()};
}

std::string_view trim_end(std::string_view token)
{
    const size_t last = token.find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? std::string_view() : token.substr(0, last + 1);
}

error_code fail(json_reader &reader, const char *words)
{
    reader.words = words;
    return TAPE_ERROR;
}

json_node *push(json_reader &reader, span key, json_kind kind)
{
    if (reader.node_count == JSON_NODES_MAX) {
        reader.words = "too many values in one record";
        return nullptr;
    }
    json_node *node = &reader.nodes[reader.node_count++];
    *node = json_node{key, span{nullptr, 0}, 1, kind};
    return node;
}

/* The text of a raw string if it stands without escapes; else data is NULL. */
span plain_string(const char *start, const char *end)
{
    const void *quote = memchr(start, '"', static_cast<size_t>(end - start));
    if (quote == nullptr) {
        return span{nullptr, 0};
    }
    const size_t size = static_cast<size_t>(static_cast<const char *>(quote) - start);
    return memchr(start, '\\', size) == nullptr ? span{start, size} : span{nullptr, 0};
}

size_t digits_size(std::string_view token, size_t from)
{
    size_t i = from;
    while (i < token.size() && token[i] >= '0' && token[i] <= '9') {
        i++;
    }
    return i - from;
}

/* RFC 8259 section 6; the value may be any: what does not fit is refused when it is taken. */
bool is_number(std::string_view token)
{
    size_t i = !token.empty() && token[0] == '-' ? 1 : 0;
    const size_t whole = digits_size(token, i);
    if (whole == 0 || (whole > 1 && token[i] == '0')) {
        return false;
    }
    i += whole;
    if (i < token.size() && token[i] == '.') {
        const size_t fraction = digits_size(token, i + 1);
        if (fraction == 0) {
            return false;
        }
        i += 1 + fraction;
    }
    if (i < token.size() && (token[i] == 'e' || token[i] == 'E')) {
        i++;
        i += i < token.size() && (token[i] == '+' || token[i] == '-') ? 1 : 0;
        const size_t exponent = digits_size(token, i);
        if (exponent == 0) {
            return false;
        }
        i += exponent;
    }
    return i == token.size();
}

class walker
{
  public:
    walker(json_reader &to, const char *text_end) : reader(to), end(text_end)
    {
    }

    error_code value(ondemand::value value, span key)
    {
        ondemand::json_type type;
        reader.at = value.raw_json_token().data();
        SIMDJSON_TRY(value.type().get(type));
        switch (type) {
        case ondemand::json_type::object:
            return nested(value, key, JSON_OBJECT);
        case ondemand::json_type::array:
            return nested(value, key, JSON_ARRAY);
        case ondemand::json_type::string:
            return string(value, key);
        default:
            return word(value, key);
        }
    }

  private:
    json_reader &reader;
    const char *end;

    error_code nested(ondemand::value &value, span key, json_kind kind)
    {
        if (++reader.depth > reader.depth_max) {
            return fail(reader, "nested too deeply");
        }
        json_node *node = push(reader, key, kind);
        if (node == nullptr) {
            return TAPE_ERROR;
        }
        SIMDJSON_TRY(kind == JSON_OBJECT ? members(value) : elements(value));
        node->count = static_cast<uint32_t>(&reader.nodes[reader.node_count] - node);
        reader.depth--;
        return SUCCESS;
    }

    error_code members(ondemand::value &value)
    {
        ondemand::object object;
        SIMDJSON_TRY(value.get_object().get(object));
        for (auto result : object) {
            ondemand::field field;
            SIMDJSON_TRY(std::move(result).get(field));
            span key = plain_string(field.key().raw(), end);
            if (key.data == nullptr) {
                std::string_view unescaped;
                SIMDJSON_TRY(field.unescaped_key().get(unescaped));
                key = span_of_view(unescaped);
            }
            SIMDJSON_TRY(this->value(field.value(), key));
        }
        return SUCCESS;
    }

    error_code elements(ondemand::value &value)
    {
        ondemand::array array;
        SIMDJSON_TRY(value.get_array().get(array));
        for (auto result : array) {
            ondemand::value element;
            SIMDJSON_TRY(std::move(result).get(element));
            SIMDJSON_TRY(this->value(element, span{nullptr, 0}));
        }
        return SUCCESS;
    }

    error_code string(ondemand::value &value, span key)
    {
        json_node *node = push(reader, key, JSON_STRING);
        if (node == nullptr) {
            return TAPE_ERROR;
        }
        node->text = plain_string(reader.at + 1, end);
        if (node->text.data == nullptr) {
            std::string_view unescaped;
            SIMDJSON_TRY(value.get_string().get(unescaped));
            node->text = span_of_view(unescaped);
        }
        return SUCCESS;
    }

    error_code word(ondemand::value &value, span key)
    {
        const std::string_view token = trim_end(value.raw_json_token());
        if (token == "null") {
            return push(reader, key, JSON_NULL) == nullptr ? TAPE_ERROR : SUCCESS;
        }
        const bool is_bool = token == "true" || token == "false";
        if (!is_bool && !is_number(token)) {
            return fail(reader, "not JSON: no value begins like this");
        }
        json_node *node = push(reader, key, is_bool ? JSON_BOOL : JSON_NUMBER);
        if (node == nullptr) {
            return TAPE_ERROR;
        }
        node->text = span_of_view(token);
        return SUCCESS;
    }
};

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

json_fault describe(const json_reader &reader, span text, error_code error)
{
    const size_t at = static_cast<size_t>(reader.at - text.data);
    if (reader.words != nullptr) {
        return json_fault{reader.words, at};
    }
    switch (error) {
    case EMPTY:
        return json_fault{"not JSON: nothing there", 0};
    case UTF8_ERROR:
        return json_fault{"not JSON: bytes that are no UTF-8", utf8_valid_size(text)};
    case UNCLOSED_STRING:
        return json_fault{"not JSON: an unclosed string", string_fault_position(text)};
    case UNESCAPED_CHARS:
        return json_fault{"not JSON: a control character in a string", string_fault_position(text)};
    case STRING_ERROR:
        return json_fault{"not JSON: a wrong escape in a string", at};
    case INCOMPLETE_ARRAY_OR_OBJECT:
        return json_fault{"not JSON: the last bracket is missing, or more stands behind it",
                          text.size};
    case MEMALLOC:
    case CAPACITY:
        return json_fault{"no memory to read a record of this size", 0};
    default:
        return json_fault{"not JSON: a comma, colon, quote or bracket is wrong here", at};
    }
}

error_code read_text(json_reader &reader, span text)
{
    const size_t padded = static_cast<size_t>(reader.buffer + reader.capacity - text.data);
    ondemand::document document;
    ondemand::value root;
    SIMDJSON_TRY(
        reader.parser.iterate(text.data, text.size, padded + SIMDJSON_PADDING).get(document));
    ondemand::json_type type;
    SIMDJSON_TRY(document.type().get(type));
    if (type != ondemand::json_type::object && type != ondemand::json_type::array) {
        return fail(reader, "neither a JSON object nor an array");
    }
    SIMDJSON_TRY(document.get_value().get(root));
    SIMDJSON_TRY(walker(reader, text.data + text.size).value(root, span{nullptr, 0}));
    /* Out of bounds: no token is left. */
    return document.current_location().error() == OUT_OF_BOUNDS
               ? SUCCESS
               : fail(reader, "not JSON: more stands behind the last bracket");
}

bool grow(json_reader &reader, size_t size)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < size) {
        capacity *= 2;
    }
    /* What was loaded before is over: no need for realloc() to carry it along. */
    std::free(reader.buffer);
    reader.buffer = static_cast<char *>(std::calloc(capacity + SIMDJSON_PADDING, 1));
    reader.capacity = reader.buffer == nullptr ? 0 : capacity;
    return reader.buffer != nullptr && reader.parser.allocate(capacity) == SUCCESS;
}

} // namespace

extern "C" {

enum err json_reader_create(uint32_t depth_max, struct json_reader **out)
{
    json_reader *reader = new (std::nothrow) json_reader{};
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
    reader->depth = 0;
    reader->at = text.data;
    reader->words = nullptr;
    const error_code error = read_text(*reader, text);
    if (error != SUCCESS) {
        *fault = describe(*reader, text, error);
        return nullptr;
    }
    return reader->nodes;
}

bool json_to_int64(const struct json_node *node, int64_t *out)
{
    int64_t value;
    const char *end = node->text.data + node->text.size;
    if (node->kind != JSON_NUMBER) {
        return false;
    }
    const auto result = std::from_chars(node->text.data, end, value);
    if (result.ec != std::errc() || result.ptr != end) {
        return false;
    }
    *out = value;
    return true;
}

bool json_to_double(const struct json_node *node, double *out)
{
    double value;
    const char *end = node->text.data + node->text.size;
    if (node->kind != JSON_NUMBER) {
        return false;
    }
    const auto result = std::from_chars(node->text.data, end, value);
    if (result.ec != std::errc() || result.ptr != end) {
        return false;
    }
    *out = value;
    return true;
}

} // extern "C"
