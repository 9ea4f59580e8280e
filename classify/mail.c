/* classify/mail.c - see mail.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/mail.h"

#include <gmime/gmime.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"

struct mail {
    GMimeMessage *message;
    enum report report;
    GByteArray *report_fields;
    char *returned_fields;
};

/* --- GMime --------------------------------------------------------------------------------------
 */

static void begin_gmime(void)
{
    g_mime_init();
}

static GByteArray *content_of(GMimePart *part)
{
    GByteArray *bytes = g_byte_array_new();
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    if (content != NULL) {
        (void)g_mime_data_wrapper_write_to_stream(content, stream);
    }
    g_object_unref(stream);
    return bytes;
}

static bool is_type(GMimeObject *part, const char *type, const char *subtype)
{
    GMimeContentType *content_type = g_mime_object_get_content_type(part);
    return content_type != NULL && g_mime_content_type_is_type(content_type, type, subtype);
}

static enum report report_of(GMimeObject *part)
{
    if (is_type(part, "message", "delivery-status") ||
        is_type(part, "message", "global-delivery-status")) {
        return REPORT_DELIVERY;
    }
    return is_type(part, "message", "feedback-report") ? REPORT_FEEDBACK : REPORT_NONE;
}

static bool is_returned_head(GMimeObject *part)
{
    return is_type(part, "text", "rfc822-headers") || is_type(part, "message", "global-headers") ||
           is_type(part, "message", "rfc822") || is_type(part, "message", "global");
}

static void take_returned(struct mail *mail, GMimeObject *part)
{
    if (mail->returned_fields != NULL) {
        return;
    }
    if (GMIME_IS_MESSAGE_PART(part)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
        if (message != NULL) {
            mail->returned_fields = g_mime_object_get_headers(GMIME_OBJECT(message), NULL);
        }
    } else if (GMIME_IS_PART(part)) {
        GByteArray *bytes = content_of(GMIME_PART(part));
        mail->returned_fields = g_strndup((const char *)bytes->data, bytes->len);
        g_byte_array_free(bytes, TRUE);
    }
}

static void look_into(struct mail *mail, GMimeObject *part, int depth);

static void look_into_parts(struct mail *mail, GMimeMultipart *parts, int depth)
{
    const int count = g_mime_multipart_get_count(parts);
    for (int i = 0; i < count; i++) {
        look_into(mail, g_mime_multipart_get_part(parts, i), depth);
    }
}

/* In the order of the mail: the head that is returned stands behind the report; a mail that comes before one is a cover
 * around it, and the report is looked for inside. */
static void look_into(struct mail *mail, GMimeObject *part, int depth)
{
    if (part == NULL || depth > MAIL_DEPTH_MAX) {
        return;
    }
    const enum report report = report_of(part);
    if (report != REPORT_NONE && mail->report == REPORT_NONE && GMIME_IS_PART(part)) {
        mail->report = report;
        mail->report_fields = content_of(GMIME_PART(part));
    } else if (mail->report != REPORT_NONE && is_returned_head(part)) {
        take_returned(mail, part);
    } else if (GMIME_IS_MULTIPART(part)) {
        look_into_parts(mail, GMIME_MULTIPART(part), depth + 1);
    } else if (GMIME_IS_MESSAGE_PART(part)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
        look_into(mail, message == NULL ? NULL : g_mime_message_get_mime_part(message), depth + 1);
    }
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* Without its end. */
static struct span take_line(struct span *text)
{
    const char *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    const size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    const size_t used = end == NULL ? size : size + 1;
    struct span line = {text->data, size};
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    *text = (struct span){text->data + used, text->size - used};
    return line;
}

static bool is_continued(struct span rest)
{
    return rest.size > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t');
}

/* --- the mail -----------------------------------------------------------------------------------
 */

/* `Name:` at the start, or the line that mbox puts there. GMime takes anything for a mail. */
bool mail_has_head(struct span bytes)
{
    if (span_starts(bytes, SPAN("From "))) {
        return true;
    }
    size_t size = 0;
    while (size < bytes.size && bytes.data[size] > ' ' && bytes.data[size] < 0x7f &&
           bytes.data[size] != ':') {
        size++;
    }
    return size > 0 && size < bytes.size && bytes.data[size] == ':';
}

/* Where a field's value begins, if it is one of those whose addresses GMime reads; NULL: it is another line. */
static const char *value_of_addresses(struct span line)
{
    static const char *const NAMES[] = {"from", "sender", "reply-to", "to", "cc", "bcc"};
    const char *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (colon == NULL) {
        return NULL;
    }
    const struct span name = span_trim((struct span){line.data, (size_t)(colon - line.data)});
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (span_equal_nocase(name, span_of(NAMES[i]))) {
            return colon + 1;
        }
    }
    return NULL;
}

/* GMime reads the addresses of every head, also of a returned mail's, and goes as deep as groups lie in each other: with
 * `To: a:a:a:...` to the end of the stack. Lines of a text that look like such a field count too. */
static bool has_deep_groups(struct span bytes)
{
    size_t colons = 0;
    bool is_in_field = false;
    while (bytes.size > 0) {
        const bool goes_on = is_in_field && is_continued(bytes);
        const struct span line = take_line(&bytes);
        const char *value = goes_on ? line.data : value_of_addresses(line);
        is_in_field = value != NULL;
        colons = goes_on ? colons : 0;
        for (; value != NULL && value < line.data + line.size; value++) {
            colons += *value == ':';
        }
        if (colons > MAIL_COLONS_MAX) {
            return true;
        }
    }
    return false;
}

enum err mail_read(struct span bytes, struct mail **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, begin_gmime);
    if (!mail_has_head(bytes)) {
        return ERR_BAD_FORMAT;
    }
    bytes = span_cut(bytes, MAIL_SIZE_MAX);
    if (has_deep_groups(bytes)) {
        return ERR_FULL;
    }
    struct mail *mail = calloc(1, sizeof(*mail));
    if (mail == NULL) {
        return ERR_NO_MEMORY;
    }
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes.data, bytes.size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    mail->message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    if (mail->message == NULL) {
        mail_destroy(&mail);
        return ERR_BAD_FORMAT;
    }
    look_into(mail, g_mime_message_get_mime_part(mail->message), 0);
    *out = mail;
    return OK;
}

void mail_destroy(struct mail **mail)
{
    if (*mail == NULL) {
        return;
    }
    if ((*mail)->message != NULL) {
        g_object_unref((*mail)->message);
    }
    if ((*mail)->report_fields != NULL) {
        g_byte_array_free((*mail)->report_fields, TRUE);
    }
    g_free((*mail)->returned_fields);
    free(*mail);
    *mail = NULL;
}

enum report mail_report(const struct mail *mail)
{
    return mail->report;
}

struct span mail_report_fields(const struct mail *mail)
{
    if (mail->report_fields == NULL || mail->report_fields->len == 0) {
        return SPAN_NONE;
    }
    return (struct span){(const char *)mail->report_fields->data, mail->report_fields->len};
}

struct span mail_returned_fields(const struct mail *mail)
{
    return mail->returned_fields == NULL ? SPAN_NONE : span_of(mail->returned_fields);
}

struct span mail_field(const struct mail *mail, const char *name)
{
    const char *value = g_mime_object_get_header(GMIME_OBJECT(mail->message), name);
    return value == NULL ? SPAN_NONE : span_trim(span_of(value));
}

int64_t mail_date_ms(const struct mail *mail)
{
    GDateTime *date = g_mime_message_get_date(mail->message);
    const int64_t seconds = date == NULL ? 0 : g_date_time_to_unix(date);
    return seconds < 0 || seconds > TIME_MS_MAX / 1000 ? 0 : seconds * 1000;
}

/* --- fields -------------------------------------------------------------------------------------
 */

bool fields_next_block(struct span *text, struct span *block)
{
    struct span rest = *text;
    const char *start = NULL;
    while (rest.size > 0) {
        const struct span line = take_line(&rest);
        if (span_trim(line).size == 0) {
            if (start != NULL) {
                *block = (struct span){start, (size_t)(line.data - start)};
                *text = rest;
                return true;
            }
        } else if (start == NULL) {
            start = line.data;
        }
    }
    if (start == NULL) {
        return false;
    }
    *block = (struct span){start, (size_t)(rest.data - start)};
    *text = rest;
    return true;
}

/* From the start of a line on. */
static struct span find_field(struct span rest, struct span name)
{
    while (rest.size > 0) {
        const struct span line = take_line(&rest);
        if (!span_starts_nocase(line, name) || line.size == name.size ||
            span_trim((struct span){line.data + name.size, line.size - name.size}).size == 0 ||
            span_trim((struct span){line.data + name.size, line.size - name.size}).data[0] != ':') {
            continue;
        }
        const char *colon = memchr(line.data, ':', line.size);
        CHECK(colon != NULL);
        while (is_continued(rest)) {
            (void)take_line(&rest);
        }
        return span_trim((struct span){colon + 1, (size_t)(rest.data - colon) - 1});
    }
    return SPAN_NONE;
}

struct span fields_find(struct span block, const char *name)
{
    return find_field(block, span_of(name));
}

struct span fields_find_next(struct span block, const char *name, struct span value)
{
    const char *end = value.data + value.size;
    struct span rest = {end, (size_t)(block.data + block.size - end)};
    (void)take_line(&rest);
    return find_field(rest, span_of(name));
}

bool fields_date_ms(struct span text, int64_t *ms)
{
    char memory[128];
    text = span_trim(text);
    if (text.size == 0 || text.size >= sizeof(memory)) {
        return false;
    }
    memcpy(memory, text.data, text.size);
    memory[text.size] = '\0';
    GDateTime *date = g_mime_utils_header_decode_date(memory);
    if (date == NULL) {
        return false;
    }
    const int64_t seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    *ms = seconds * 1000;
    return seconds > 0 && seconds <= TIME_MS_MAX / 1000;
}

struct span fields_base64(struct span text, char *memory)
{
    gint state = 0;
    guint kept = 0;
    const gsize size = g_base64_decode_step(text.data, text.size, (guchar *)memory, &state, &kept);
    return (struct span){memory, size};
}
