/* classify/mask.c - see mask.h.
 *
 * From left to right; at the beginning of each word the shapes are tried, the most telling first:
 *
 *     URL, address, the recipient's name, IPv6, time, IPv4, then a run of letters, digits and what
 *     joins them: enhanced code, host, number, a provider's code, id, word
 *
 * A provider's code and an id are told apart by how letters and digits change places: a code is
 * letters and then a few digits, perhaps several times with a joint between (LPN105_402, DOC-1369);
 * an id mixes them (4TqXbP3w2Zz9vKq, 08DC39D5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/mask.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/utf8.h"
#include "classify/reply.h"

enum {
    TEXT_READ_MAX = 2048,   /* as far as rules read */
    LOCAL_SIZE_MIN = 2,     /* of a recipient: a letter alone names nobody */
    CODE_SIZE_MAX = 16,     /* of a provider's code, with its joints */
    CODE_DIGITS_MAX = 6,    /* behind letters */
    CODE_NUMBER_MAX = 4,    /* of a part without letters */
    HEX_SIZE_MIN = 8,       /* so many hexadecimal digits with a number among them are no code */
    TIME_WORD_SIZE_MAX = 4, /* CEST */
    UNIT_SIZE_MAX = 4,      /* 5MB, 30min, 8bit */
    LETTERS_ID_MIN = 12,    /* base64 may come without a digit */
    PATH_NUMBER_MAX = 7,    /* of a URL: a page, not somebody's ticket */
    ANGLE_SIZE_MAX = 320,   /* between angle brackets */
    QUOTED_LOCAL_MAX = 66,  /* RFC 5321 4.5.3.1.1, with the quotes */
};

enum mark { MARK_NONE, MARK_ADDRESS, MARK_IP, MARK_HOST, MARK_TIME, MARK_NUMBER, MARK_ID };

static const struct span MARKS[] = {
    [MARK_ADDRESS] = {"{address}", 9}, [MARK_IP] = {"{ip}", 4},    [MARK_HOST] = {"{host}", 6},
    [MARK_TIME] = {"{time}", 6},       [MARK_NUMBER] = {"{n}", 3}, [MARK_ID] = {"{id}", 4},
};

struct masking {
    struct span rest;  /* of the text */
    struct span local; /* of the recipient; empty: unknown, or a word that names nobody */
    struct writer out;
    enum mark last; /* the newest mark, and where it stands */
    size_t last_begin;
    size_t last_end;
    bool has_begun; /* something was taken */
};

/* --- characters ---------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_lower(c) || is_upper(c);
}

static bool is_wide(char c)
{
    return (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_letter(c) || is_digit(c) || is_wide(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* NUL behind the end. */
static char char_at(struct span text, size_t i)
{
    return i < text.size ? text.data[i] : '\0';
}

static struct span span_from(struct span text, size_t begin)
{
    return (struct span){text.data + begin, text.size - begin};
}

static bool is_all(struct span text, bool (*is)(char c))
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is(text.data[i])) {
            return false;
        }
    }
    return text.size > 0;
}

static bool has_any(struct span text, bool (*is)(char c))
{
    for (size_t i = 0; i < text.size; i++) {
        if (is(text.data[i])) {
            return true;
        }
    }
    return false;
}

/* A table of words with their sizes: strlen() for each of them was two fifths of the whole. */
#define WORD(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define IS_ONE_OF_WORDS(word, table) is_in((word), (table), sizeof(table) / sizeof((table)[0]))

static bool is_in(struct span word, const struct span *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal_nocase(word, table[i])) {
            return true;
        }
    }
    return false;
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* All of it or nothing more at all. */
static void put(struct masking *m, struct span bytes)
{
    put_bytes(&m->out, bytes);
}

static void put_blank(struct masking *m)
{
    if (m->out.size > 0 && m->out.data[m->out.size - 1] != ' ') {
        put(m, SPAN(" "));
    }
}

/* C1 controls are controls to a terminal, too. */
static void put_wide(struct masking *m, struct span text, size_t *i)
{
    const struct span rest = span_from(text, *i);
    const size_t size = utf8_sequence_size(rest);
    const bool is_control =
        size == 2 && (unsigned char)rest.data[0] == 0xc2 && (unsigned char)rest.data[1] < 0xa0;
    if (size == 0 || is_control) {
        put(m, SPAN("?"));
    } else {
        put(m, (struct span){rest.data, size});
    }
    *i += size == 0 ? 1 : size;
}

/* Nothing but what may join two marks stands behind the last one. */
static bool adjoins(const struct masking *m, const char *joints)
{
    for (size_t i = m->last_end; i < m->out.size; i++) {
        if (!is_one_of(m->out.data[i], joints)) {
            return false;
        }
    }
    return m->last != MARK_NONE;
}

static bool is_of_time(enum mark mark)
{
    return mark == MARK_TIME || mark == MARK_NUMBER;
}

/* The parts of a time become one mark, and those of an id that is written with slashes. */
static bool joins_last(const struct masking *m, enum mark mark)
{
    if (mark == MARK_ID && m->last == MARK_ID) {
        return adjoins(m, "/+=-._:") && m->out.size <= m->last_end + 1;
    }
    return is_of_time(mark) && is_of_time(m->last) && (mark == MARK_TIME || m->last == MARK_TIME) &&
           adjoins(m, " ,+-");
}

static void put_mark(struct masking *m, enum mark mark)
{
    if (joins_last(m, mark)) {
        m->out.size = m->last_begin;
        mark = mark == MARK_NUMBER ? MARK_TIME : mark;
    }
    m->last = mark;
    m->last_begin = m->out.size;
    put(m, MARKS[mark]);
    m->last_end = m->out.size;
}

static void take(struct masking *m, size_t size)
{
    m->rest = span_from(m->rest, size);
    m->has_begun = true;
}

/* --- addresses ----------------------------------------------------------------------------------
 */

static bool is_local_part(char c)
{
    return is_word(c) || is_one_of(c, "!#$&'*+-/=?^_~.%");
}

static bool is_domain(char c)
{
    return is_word(c) || c == '.' || c == '-' || c == '_';
}

/* The size of `@`, or of `%40`; 0: neither. */
static size_t at_sign_size(struct span text)
{
    return char_at(text, 0) == '@' ? 1 : span_starts(text, SPAN("%40")) ? 3 : 0;
}

/* The size of `@example.com` or `@[192.0.2.1]`; 0: it is none. */
static size_t domain_size(struct span text)
{
    const size_t begin = at_sign_size(text);
    size_t size = begin;
    if (begin > 0 && char_at(text, begin) == '[') {
        const char *end = memchr(text.data + begin, ']', text.size - begin);
        return end == NULL ? 0 : (size_t)(end - text.data) + 1;
    }
    while (begin > 0 && size < text.size && is_domain(text.data[size])) {
        size++;
    }
    while (size > begin && text.data[size - 1] == '.') {
        size--;
    }
    return size > begin ? size : 0;
}

/* 0: none begins here. A local part with `=` and `/` is one of a bounce address (VERP, SRS, BATV). */
static size_t address_size(struct span text)
{
    size_t size = 0;
    while (size < text.size && is_local_part(text.data[size]) &&
           at_sign_size(span_from(text, size)) == 0) {
        size++;
    }
    const size_t domain = domain_size(span_from(text, size));
    return size > 0 && domain > 0 ? size + domain : 0;
}

/* "ana maria"@example.com; 0: none. */
static size_t quoted_address_size(struct span text)
{
    if (text.size == 0 || text.data[0] != '"') {
        return 0;
    }
    const size_t within = text.size - 1 < QUOTED_LOCAL_MAX ? text.size - 1 : QUOTED_LOCAL_MAX;
    const char *quote = memchr(text.data + 1, '"', within);
    if (quote == NULL) {
        return 0;
    }
    const size_t local = (size_t)(quote - text.data) + 1;
    const size_t domain = domain_size(span_from(text, local));
    return domain == 0 ? 0 : local + domain;
}

/* Of the recipient, unless it is a word that replies use (RFC 2142 and its kin): nobody's name. */
static struct span local_part(struct span recipient)
{
    static const struct span ROLES[] = {
        WORD("abuse"),     WORD("account"), WORD("accounts"),   WORD("address"),   WORD("admin"),
        WORD("contact"),   WORD("email"),   WORD("error"),      WORD("help"),      WORD("host"),
        WORD("info"),      WORD("mail"),    WORD("mailbox"),    WORD("message"),   WORD("news"),
        WORD("noreply"),   WORD("office"),  WORD("postmaster"), WORD("recipient"), WORD("sales"),
        WORD("security"),  WORD("server"),  WORD("service"),    WORD("spam"),      WORD("support"),
        WORD("system"),    WORD("test"),    WORD("unknown"),    WORD("user"),      WORD("users"),
        WORD("webmaster"),
    };
    recipient = span_trim(recipient);
    if (recipient.size > 0 && recipient.data[0] == '<') {
        recipient = span_from(recipient, 1);
    }
    const char *at = recipient.size == 0 ? NULL : memrchr(recipient.data, '@', recipient.size);
    if (at == NULL) {
        return SPAN_NONE;
    }
    const struct span local = {recipient.data, (size_t)(at - recipient.data)};
    if (local.size < LOCAL_SIZE_MIN) {
        return SPAN_NONE;
    }
    return IS_ONE_OF_WORDS(local, ROLES) ? SPAN_NONE : local;
}

static bool is_recipients_name(const struct masking *m)
{
    return m->local.size > 0 && span_starts_nocase(m->rest, m->local) &&
           !is_word(char_at(m->rest, m->local.size));
}

static bool take_address(struct masking *m)
{
    size_t size = address_size(m->rest);
    if (size == 0 && is_recipients_name(m)) {
        size = m->local.size;
    }
    if (size == 0) {
        return false;
    }
    put_mark(m, MARK_ADDRESS);
    take(m, size);
    return true;
}

/* --- IP addresses and times ---------------------------------------------------------------------
 */

static size_t run_size(struct span text, const char *also)
{
    size_t size = 0;
    while (size < text.size && (is_hex(text.data[size]) || is_one_of(text.data[size], also))) {
        size++;
    }
    while (size > 0 && is_one_of(text.data[size - 1], ".-/+")) {
        size--;
    }
    return size;
}

static size_t count_of(struct span text, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += text.data[i] == c;
    }
    return count;
}

static bool is_ip(int family, struct span text)
{
    char name[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (text.size >= sizeof(name)) {
        return false;
    }
    memcpy(name, text.data, text.size);
    name[text.size] = '\0';
    return inet_pton(family, name, address) == 1;
}

/* `IPv6:` in front of it is taken along. */
static size_t ipv6_size(struct span text)
{
    const size_t begin = span_starts_nocase(text, SPAN("ipv6:")) ? 5 : 0;
    struct span run = span_from(text, begin);
    run.size = run_size(run, ":.");
    if (count_of(run, ':') < 2) {
        return 0;
    }
    if (!is_ip(AF_INET6, run) && run.data[run.size - 1] == ':') {
        run.size--; /* ends a sentence's half */
    }
    return is_ip(AF_INET6, run) ? begin + run.size : 0;
}

/* With a port (`:25`) or a network's size (`/24`). */
static size_t ipv4_size(struct span text)
{
    struct span run = {text.data, 0};
    while (run.size < text.size && (is_digit(text.data[run.size]) || text.data[run.size] == '.')) {
        run.size++;
    }
    while (run.size > 0 && run.data[run.size - 1] == '.') {
        run.size--;
    }
    size_t size = run.size;
    if (!is_ip(AF_INET, run) || is_word(char_at(text, size)) || char_at(text, size) == '-') {
        return 0;
    }
    if (is_one_of(char_at(text, size), ":/") && is_digit(char_at(text, size + 1))) {
        for (size++; is_digit(char_at(text, size));) {
            size++;
        }
    }
    return size;
}

static bool take_ip(struct masking *m)
{
    size_t size = ipv6_size(m->rest);
    size = size > 0 ? size : ipv4_size(m->rest);
    if (size == 0) {
        return false;
    }
    put_mark(m, MARK_IP);
    take(m, size);
    return true;
}

/* 2026-11-25T10:17:22.118Z, 2026/11/25, 25.11.2026, 10:17, 10:17:22.5+01:00. */
static size_t time_size(struct span text)
{
    size_t size = 0;
    size_t digits = 0; /* in a row */
    size_t colons = 0;
    size_t joints = 0;
    bool has_year = false;
    for (; size < text.size && (is_digit(text.data[size]) || is_one_of(text.data[size], ":.-/+TZ"));
         size++) {
        const char c = text.data[size];
        digits = is_digit(c) ? digits + 1 : 0;
        has_year = has_year || (digits == 4 && !is_digit(char_at(text, size + 1)));
        colons += c == ':' && is_digit(char_at(text, size + 1));
        joints += is_one_of(c, "-/.") && is_digit(char_at(text, size + 1));
    }
    while (size > 0 && !is_digit(text.data[size - 1]) && text.data[size - 1] != 'Z') {
        size--;
    }
    const bool is_clock = colons >= 1 && is_digit(char_at(text, 0)) &&
                          (char_at(text, 1) == ':' || char_at(text, 2) == ':');
    const bool is_date = has_year && joints >= 2 && size >= 8 && size <= 35;
    return (is_clock || is_date) && !is_word(char_at(text, size)) ? size : 0;
}

static bool take_time(struct masking *m)
{
    const size_t size = is_digit(m->rest.data[0]) ? time_size(m->rest) : 0;
    if (size == 0) {
        return false;
    }
    put_mark(m, MARK_TIME);
    take(m, size);
    return true;
}

/* --- runs of letters and digits -----------------------------------------------------------------
 */

/* Joins two words; `--` does, too (xn--...). */
static bool is_joint(struct span text, size_t i)
{
    return is_one_of(char_at(text, i), "._-#+~'") &&
           (is_word(char_at(text, i + 1)) ||
            (span_starts(span_from(text, i), SPAN("--")) && is_word(char_at(text, i + 2))));
}

static struct span run_of(struct span text)
{
    struct enhanced enhanced;
    size_t size = 0;
    while (size < text.size && (is_word(text.data[size]) || (size > 0 && is_joint(text, size)))) {
        size++;
    }
    /* 550-5.1.1 is two */
    if (size > 4 && is_one_of(text.data[3], "-#") &&
        enhanced_parse((struct span){text.data + 4, size - 4}, &enhanced)) {
        size = 3;
    }
    return (struct span){text.data, size};
}

/* A name of hosts by the look of its last label: lower case, or two or three capitals. So that
 * RESOLVER.ADR.RecipientNotFound and a full stop without a space behind it are none. */
static bool is_host(struct span run)
{
    const char *dot = memrchr(run.data, '.', run.size);
    if (dot == NULL || has_any(run, is_wide) !=
                           has_any((struct span){run.data, (size_t)(dot - run.data)}, is_wide)) {
        return false;
    }
    const struct span last = span_from(run, (size_t)(dot - run.data) + 1);
    if (span_starts_nocase(last, SPAN("xn--"))) {
        return true;
    }
    return last.size >= 2 && (is_all(last, is_lower) || (is_all(last, is_upper) && last.size <= 3));
}

static bool is_number_byte(char c)
{
    return is_digit(c) || is_one_of(c, ".-_#+");
}

/* Letters and then a few digits, or few digits alone. */
static bool is_code_part(struct span part)
{
    size_t letters = 0;
    while (letters < part.size && is_letter(part.data[letters])) {
        letters++;
    }
    const size_t digits = part.size - letters;
    return (digits == 0 || is_all(span_from(part, letters), is_digit)) &&
           digits <= (letters == 0 ? CODE_NUMBER_MAX : CODE_DIGITS_MAX);
}

static bool is_code(struct span run)
{
    if (run.size > CODE_SIZE_MAX || !has_any(run, is_letter) ||
        (run.size >= HEX_SIZE_MIN && is_all(run, is_hex))) {
        return false;
    }
    for (size_t begin = 0, i = 0; i <= run.size; i++) {
        if (i == run.size || is_one_of(run.data[i], "._-#+~'")) {
            if (!is_code_part((struct span){run.data + begin, i - begin})) {
                return false;
            }
            begin = i + 1;
        }
    }
    return true;
}

/* Base64 by chance without a digit: capitals begin more than each sixth letter. */
static bool is_letter_salad(struct span run)
{
    size_t rises = 0;
    for (size_t i = 1; i < run.size; i++) {
        rises += is_lower(run.data[i - 1]) && is_upper(run.data[i]);
    }
    return run.size >= LETTERS_ID_MIN && rises * 6 > run.size;
}

/* 550 at the beginning, or before 5.1.1: not a number of something. */
static bool is_reply_code(const struct masking *m, struct span run)
{
    struct enhanced enhanced;
    struct span next = span_from(m->rest, run.size);
    if (run.size != 3 || !is_all(run, is_digit) || (run.data[0] != '4' && run.data[0] != '5')) {
        return false;
    }
    while (is_one_of(char_at(next, 0), " -#")) {
        next = span_from(next, 1);
    }
    return !m->has_begun || enhanced_parse(run_of(next), &enhanced);
}

static bool is_month(struct span word)
{
    static const struct span MONTHS[] = {WORD("jan"), WORD("feb"), WORD("mar"), WORD("apr"),
                                         WORD("may"), WORD("jun"), WORD("jul"), WORD("aug"),
                                         WORD("sep"), WORD("oct"), WORD("nov"), WORD("dec")};
    return IS_ONE_OF_WORDS(word, MONTHS);
}

/* Names of days, months and zones count where numbers stand beside them: `may` is a word, too. */
static bool is_part_of_time(const struct masking *m, struct span word)
{
    static const struct span DAYS[] = {WORD("mon"), WORD("tue"), WORD("wed"), WORD("thu"),
                                       WORD("fri"), WORD("sat"), WORD("sun")};
    static const struct span ZONES[] = {WORD("gmt"), WORD("utc"),  WORD("am"),  WORD("pm"),
                                        WORD("cet"), WORD("cest"), WORD("est"), WORD("edt"),
                                        WORD("pst"), WORD("pdt"),  WORD("jst")};
    if (word.size > TIME_WORD_SIZE_MAX) {
        return false;
    }
    struct span next = span_from(m->rest, word.size);
    while (is_one_of(char_at(next, 0), " ,-")) {
        next = span_from(next, 1);
    }
    const bool has_number = is_digit(char_at(next, 0));
    const bool follows = is_of_time(m->last) && adjoins(m, " ,-");
    if (is_month(word)) {
        return has_number || follows;
    }
    if (IS_ONE_OF_WORDS(word, DAYS)) {
        return has_number || is_month(run_of(next));
    }
    return IS_ONE_OF_WORDS(word, ZONES) && m->last == MARK_TIME && adjoins(m, " ");
}

/* Words of other scripts stand without spaces between them: only the numbers go. */
static void put_words(struct masking *m, struct span run)
{
    for (size_t i = 0; i < run.size;) {
        if (is_wide(run.data[i])) {
            put_wide(m, run, &i);
        } else if (is_digit(run.data[i])) {
            while (is_digit(char_at(run, i))) {
                i++;
            }
            put_mark(m, MARK_NUMBER);
        } else {
            put(m, (struct span){run.data + i++, 1});
        }
    }
}

/* 5MB, 30min, 8bit: the size of the number; 0: it is none. */
static size_t number_with_unit_size(struct span run)
{
    size_t digits = 0;
    while (digits < run.size && is_digit(run.data[digits])) {
        digits++;
    }
    const struct span unit = span_from(run, digits);
    return digits > 0 && digits <= CODE_DIGITS_MAX && unit.size <= UNIT_SIZE_MAX &&
                   is_all(unit, is_letter)
               ? digits
               : 0;
}

static void put_with_digits(struct masking *m, struct span run)
{
    struct enhanced enhanced;
    const size_t number = number_with_unit_size(run);
    const bool is_smtp_code = enhanced_parse(run, &enhanced) || is_reply_code(m, run);
    if (is_smtp_code || (number == 0 && is_code(run))) {
        put(m, run);
    } else if (is_all(run, is_number_byte)) {
        put_mark(m, MARK_NUMBER);
    } else if (number > 0) {
        put_mark(m, MARK_NUMBER);
        put(m, span_from(run, number));
    } else {
        put_mark(m, MARK_ID);
    }
}

static void put_run(struct masking *m, struct span run)
{
    if (is_host(run)) {
        put_mark(m, MARK_HOST);
    } else if (has_any(run, is_wide)) {
        put_words(m, run);
    } else if (has_any(run, is_digit)) {
        put_with_digits(m, run);
    } else if (is_letter_salad(run)) {
        put_mark(m, MARK_ID);
    } else if (is_part_of_time(m, run)) {
        put_mark(m, MARK_TIME);
    } else {
        put(m, run);
    }
}

/* What base64 is filled up with. */
static size_t padding_size(const struct masking *m)
{
    size_t size = 0;
    while (m->last == MARK_ID && m->last_end == m->out.size && char_at(m->rest, size) == '=') {
        size++;
    }
    return is_word(char_at(m->rest, size)) ? 0 : size;
}

static void take_run(struct masking *m)
{
    const struct span run = run_of(m->rest);
    put_run(m, run);
    take(m, run.size);
    take(m, padding_size(m));
}

/* --- URLs ---------------------------------------------------------------------------------------
 */

static bool ends_url(char c)
{
    return is_blank(c) || is_one_of(c, "<>()[]{}\"'|\\^`");
}

static bool is_host_byte(char c)
{
    return is_letter(c) || is_digit(c) || c == '.' || c == '-';
}

static struct span url_of(struct span text)
{
    static const struct span BEGINS[] = {{"https://", 8}, {"http://", 7}, {"www.", 4}};
    struct span url = {text.data, 0};
    for (size_t i = 0; i < 3 && url.size == 0; i++) {
        url.size = span_starts_nocase(text, BEGINS[i]) ? BEGINS[i].size : 0;
    }
    const size_t begin = url.size;
    while (begin > 0 && url.size < text.size && !ends_url(text.data[url.size])) {
        url.size++;
    }
    while (url.size > begin && is_one_of(url.data[url.size - 1], ".,;:!")) {
        url.size--;
    }
    return url.size > begin ? url : SPAN_NONE;
}

/* The part up to one of `ends`, taken from *rest. */
static struct span cut_at(struct span *rest, const char *ends)
{
    struct span part = {rest->data, 0};
    while (part.size < rest->size && !is_one_of(rest->data[part.size], ends)) {
        part.size++;
    }
    *rest = span_from(*rest, part.size);
    return part;
}

static void put_url_part(struct masking *m, struct span part)
{
    const bool is_page = part.size <= PATH_NUMBER_MAX && is_all(part, is_digit);
    const bool is_name =
        !has_any(part, is_digit) && !is_letter_salad(part) && run_of(part).size == part.size;
    if (part.size == 0 || is_page || is_name || (run_of(part).size == part.size && is_code(part))) {
        put(m, part);
    } else {
        put_mark(m, MARK_ID);
    }
}

/* Scheme, host and pages are a provider's; what is behind `?` and looks like an id is a message's. */
static bool take_url(struct masking *m)
{
    const struct span url = url_of(m->rest);
    struct span rest = url;
    if (url.size == 0) {
        return false;
    }
    const char *slashes = memmem(url.data, url.size, "//", 2);
    const size_t scheme = slashes == NULL ? 0 : (size_t)(slashes - url.data) + 2;
    put(m, (struct span){url.data, scheme});
    rest = span_from(rest, scheme);
    const struct span host = cut_at(&rest, "/?#");
    if (!is_all(host, is_host_byte) || is_ip(AF_INET, host)) {
        put_mark(m, MARK_HOST);
    } else {
        put(m, host);
    }
    while (rest.size > 0 && rest.data[0] != '?') {
        put(m, (struct span){rest.data, 1});
        rest = span_from(rest, 1);
        put_url_part(m, cut_at(&rest, "/?#"));
    }
    if (rest.size > 0) {
        put(m, SPAN("?{query}"));
    }
    take(m, url.size);
    return true;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

/* <ana>, <20261125.4711@host>: one word between angle brackets is a name or an id. */
static bool take_angle(struct masking *m)
{
    if (m->rest.data[0] != '<') {
        return false;
    }
    size_t size = 1;
    while (size < m->rest.size && size <= ANGLE_SIZE_MAX && !is_blank(m->rest.data[size]) &&
           !is_one_of(m->rest.data[size], "<>[]")) {
        size++;
    }
    const struct span inner = {m->rest.data + 1, size - 1};
    if (char_at(m->rest, size) != '>' || inner.size == 0 || url_of(inner).size > 0 ||
        ipv4_size(inner) == inner.size || is_host(inner)) {
        return false;
    }
    put(m, SPAN("<"));
    put_mark(m, memchr(inner.data, '@', inner.size) != NULL ? MARK_ADDRESS : MARK_ID);
    put(m, SPAN(">"));
    take(m, size + 1);
    return true;
}

static bool take_quoted(struct masking *m)
{
    const size_t size = quoted_address_size(m->rest);
    if (size > 0) {
        put_mark(m, MARK_ADDRESS);
        take(m, size);
    }
    return size > 0;
}

static void take_next(struct masking *m)
{
    const char c = m->rest.data[0];
    if (is_blank(c)) {
        put_blank(m);
        m->rest = span_from(m->rest, 1);
    } else if (is_word(c)) {
        if (!take_url(m) && !take_address(m) && !take_ip(m) && !take_time(m)) {
            take_run(m);
        }
    } else if (!take_angle(m) && !take_quoted(m) && !(c == ':' && take_ip(m))) {
        put(m, (struct span){&c, 1});
        take(m, 1);
    }
}

size_t mask_text(struct span text, struct span recipient, char *out, size_t capacity)
{
    struct masking m = {.rest = span_cut(text, TEXT_READ_MAX),
                        .local = local_part(recipient),
                        .out = writer_init(out, capacity)};
    while (m.rest.size > 0 && !m.out.overflowed) {
        take_next(&m);
    }
    return span_trim(writer_span(&m.out)).size;
}
