/* classify/decode_names.c - what a user may name in records: good names, and the fields of an event; see decode.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/decode.h"
#include "classify/format.h"

const char *decode_name_check(const struct format *format, struct span name)
{
    const bool is_mail = format->mail != NULL;
    if (format->find_named == NULL && format->headings == NULL && !is_mail &&
        format != &FORMAT_AUTO) {
        return "its lines have no headers and no fields of yours: say it by `sender`, or for the "
               "whole "
               "topic by `tenant` and `campaign`";
    }
    if (name.size == 0 || span_trim(name).size != name.size) {
        return "a name without blanks around it, please";
    }
    if (name.data[name.size - 1] == ':') {
        return "the name alone, without the colon behind it";
    }
    for (size_t i = 0; i < name.size; i++) {
        const unsigned char c = (unsigned char)name.data[i];
        if (c < ' ' || c == 0x7f) {
            return "control characters stand in no name";
        }
        if (is_mail && (c == ' ' || c == ':' || c > '~')) { /* RFC 5322 2.2 */
            return "no header of a mail is called so: neither blanks nor colons nor letters beyond "
                   "ASCII";
        }
    }
    return NULL;
}

const char *const DECODE_FIELD_NAMES[DECODE_FIELD_COUNT] = {
    [DECODE_KIND] = "kind",
    [DECODE_TS_MS] = "ts_ms",
    [DECODE_RECIPIENT] = "recipient",
    [DECODE_CODE] = "code",
    [DECODE_ENHANCED] = "enhanced",
    [DECODE_TEXT] = "text",
    [DECODE_STAGE] = "stage",
    [DECODE_ERROR] = "error",
    [DECODE_MESSAGE_ID] = "message_id",
    [DECODE_EVENT_ID] = "event_id",
    [DECODE_TENANT] = "tenant",
    [DECODE_CAMPAIGN] = "campaign",
    [DECODE_SENDER] = "sender",
    [DECODE_MX] = "mx",
    [DECODE_PROVIDER] = "provider",
    [DECODE_ATTEMPT] = "attempt",
    [DECODE_NATIVE_CLASS] = "native_class",
};

const char *decode_field_check(const struct format *format, struct span path)
{
    if (format->map == NULL) {
        return "its fields have fixed names; only those of halon, whose records are written by "
               "scripts "
               "of yours, can be mapped";
    }
    if (path.size == 0 || path.data[0] == '.' || path.data[path.size - 1] == '.' ||
        span_find(path, SPAN("..")) < path.size) {
        return "a key of the record, please, or keys with one dot between them";
    }
    for (size_t i = 0; i < path.size; i++) {
        if ((unsigned char)path.data[i] < ' ' || path.data[i] == 0x7f) {
            return "control characters stand in no key";
        }
    }
    return NULL;
}
