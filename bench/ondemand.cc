/* bench/ondemand.cc - see ondemand.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define SIMDJSON_EXCEPTIONS 0

#include "bench/ondemand.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include <simdjson.h>

using namespace simdjson;

struct ondemand {
    simdjson::ondemand::parser parser;
    char *buffer;
    size_t capacity;
};

namespace
{

using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

/* In the order in which KumoMTA writes them; so the search begins where the last one ended, and most
 * members that nobody wants go by their size. As ours does it when a shape is new. */
constexpr std::string_view WANTED[] = {
    "type",
    "id",
    "sender",
    "recipient",
    "queue",
    "response",
    "code",
    "enhanced_code",
    "class",
    "subject",
    "detail",
    "content",
    "peer_address",
    "name",
    "timestamp",
    "event_time",
    "num_attempts",
    "bounce_classification",
    "feedback_report",
    "meta",
    "tenant",
    "campaign",
    "reception_protocol",
    "provider_name",
};

constexpr size_t WANTED_COUNT = sizeof(WANTED) / sizeof(WANTED[0]);

constexpr uint64_t sizes_wanted()
{
    uint64_t sizes = 0;
    for (std::string_view name : WANTED) {
        sizes |= uint64_t{1} << (name.size() & 63);
    }
    return sizes;
}

bool is_wanted(std::string_view key, size_t *next)
{
    if ((sizes_wanted() & uint64_t{1} << (key.size() & 63)) == 0) {
        return false;
    }
    for (size_t i = 0; i < WANTED_COUNT; i++) {
        const size_t at = *next + i < WANTED_COUNT ? *next + i : *next + i - WANTED_COUNT;
        if (WANTED[at] == key) {
            *next = at + 1;
            return true;
        }
    }
    return false;
}

error_code read_object(object members, uint64_t *sum, size_t *next);

error_code read_value(value &value, uint64_t *sum, size_t *next)
{
    json_type type;
    SIMDJSON_TRY(value.type().get(type));
    if (type == json_type::string) {
        std::string_view text;
        SIMDJSON_TRY(value.get_string().get(text));
        *sum += text.size();
    } else if (type == json_type::number) {
        int64_t number;
        SIMDJSON_TRY(value.get_int64().get(number));
        *sum += static_cast<uint64_t>(number);
    } else if (type == json_type::object) {
        object members;
        SIMDJSON_TRY(value.get_object().get(members));
        return read_object(members, sum, next);
    }
    return SUCCESS;
}

error_code read_object(object members, uint64_t *sum, size_t *next)
{
    for (auto member : members) {
        std::string_view key;
        SIMDJSON_TRY(member.unescaped_key().get(key));
        if (is_wanted(key, next)) {
            value value;
            SIMDJSON_TRY(member.value().get(value));
            SIMDJSON_TRY(read_value(value, sum, next));
        }
    }
    return SUCCESS;
}

bool is_supported()
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#else
    return true;
#endif
}

} // namespace

extern "C" {

enum err ondemand_create(size_t record_size_max, struct ondemand **out)
{
    if (!is_supported()) {
        return ERR_REFUSED;
    }
    struct ondemand *created = new (std::nothrow) struct ondemand();
    if (created == nullptr) {
        return ERR_NO_MEMORY;
    }
    created->capacity = record_size_max + SIMDJSON_PADDING;
    created->buffer = static_cast<char *>(std::calloc(1, created->capacity));
    if (created->buffer == nullptr) {
        ondemand_destroy(&created);
        return ERR_NO_MEMORY;
    }
    *out = created;
    return OK;
}

void ondemand_destroy(struct ondemand **ondemand)
{
    if (*ondemand != nullptr) {
        std::free((*ondemand)->buffer);
        delete *ondemand;
        *ondemand = nullptr;
    }
}

uint64_t ondemand_read(struct ondemand *ondemand, struct span record)
{
    simdjson::ondemand::document document;
    object members;
    uint64_t sum = 0;
    size_t next = 0;
    if (record.size + SIMDJSON_PADDING > ondemand->capacity) {
        return 0;
    }
    std::memcpy(ondemand->buffer, record.data, record.size);
    if (ondemand->parser.iterate(ondemand->buffer, record.size, ondemand->capacity).get(document) !=
            SUCCESS ||
        document.get_object().get(members) != SUCCESS ||
        read_object(members, &sum, &next) != SUCCESS) {
        return 0;
    }
    return sum;
}

} // extern "C"
