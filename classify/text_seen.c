/* classify/text_seen.c - see text_seen.h.
 *
 * An address is made of words, and they are not the server's: `<full@blocked.example>: User unknown`
 * speaks of no full mailbox and of no blocked host. Nor is a queue id anything that a rule could be
 * about. Without them, what a server says to many recipients is one text, which needs to be looked
 * through once (text_rules.c).
 *
 * What is hidden must be so surely: a code of a provider that went missing would be a wrong answer, an
 * id that stays costs a scan. So every shape is a narrow one, and nothing is tried but where a digit
 * or an @ stands:
 *
 *     address, by its @; then at a digit: IPv4, date, time of day, IPv6, a queue id of Exim's, then the
 *     run of letters and digits around it: id, long number, number in the name of a host; else it stays
 *
 * A run is an id by how letters and digits change places: a code is letters, then digits (S3140,
 * TSS04, IB603, BL000001), an id changes more often (2E4d6D9b1B, AM7EUR06FT007) or is hexadecimal.
 *
 * mask.c knows such shapes, too, for a report that people read: more of them, with names and dates in
 * words, and sure of little. It takes 11 ns a byte where this takes 1.4, as tables of words, URLs and
 * inet_pton() are asked at each word; so the two have no code in common.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/text_seen.h"

/* What stands for something is never longer than that: see keep_until(). */
#define RECIPIENT_SEEN SPAN("x@x.x")
#define ADDRESS_SEEN   SPAN("y@y.y")
#define IPV4_SEEN      SPAN("1.1.1.1")
#define IPV6_SEEN      SPAN("2001::1")
#define DATE_SEEN      SPAN("1-1-2001")
#define TIME_SEEN      SPAN("0:00")
#define ID_SEEN        SPAN("x0x0")
#define NUMBER_SEEN    SPAN("00000")
#define DIGITS_SEEN    SPAN("0")

enum {
    ADDRESS_SIZE_MIN = 5,
    IPV6_SIZE_MIN = 7,
    PORT_DIGITS_MIN = 4, /* one that the client drew; 25 says something */
    ID_SIZE_MIN = 8,
    ID_PARTS_MIN = 4,
    ID_DIGITS_MIN = 5, /* of one with three parts */
    PADDED_SIZE_MIN = 4,
    NUMBER_DIGITS_MIN = 6,     /* one less with a unit or more digits behind it */
    NUMBER_DIGITS_MIN_URL = 8, /* a page; an error (`no=1000726`) */
    CODE_DIGITS_MAX = 6,       /* behind letters */
    HEAD_SIZE_MAX = 4,         /* of what stands before an id: cx5-20020a17090afd85 */
    HOST_DIGITS_MIN = 2,       /* dnsbl-1 and dnsbl-2 are two lists */
    LOOK_MAX = 255,            /* around a run, so that no text costs a square of its size */
};

/* A text, and what is made of it. */
struct seeing {
    struct span text;
    size_t taken; /* of the text */
    char *out;
    size_t size; /* of what is made */
};

/* --- characters: of bytes and no locale. Letters beyond ASCII are none: Chinese text has no spaces --
 */

static bool is_space(char c)
{
    return (unsigned char)(c - '\t') < 5;
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_upper(char c)
{
    return (unsigned char)(c - 'A') < 26;
}

static bool is_word(char c)
{
    return is_digit(c) || is_letter(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 6;
}

static bool is_of_name(char c)
{
    return is_word(c) || c == '-' || c == '_' || c == '+' || c == '.';
}

static bool is_of_host(char c)
{
    return is_word(c) || c == '-' || c == '_' || c == '.';
}

/* NUL before the beginning and behind the end. */
static char char_at(struct span text, size_t i)
{
    return i < text.size ? text.data[i] : '\0';
}

/* --- eight bytes at once: most texts have neither white space but blanks nor many digits ------------
 */

#define IN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* 0x80 for each byte that is between the two, which are below 0x80. */
static uint64_t bytes_between(uint64_t word, unsigned char first, unsigned char last)
{
    const uint64_t low = word & IN_EACH(0x7f);
    const uint64_t is_least = low + IN_EACH(0x80U - first);
    const uint64_t is_more = low + IN_EACH(0x7fU - last);
    return is_least & ~is_more & ~word & IN_EACH(0x80);
}

/* Eight bytes from `i` on, or the fewer ones before `end`; behind them zeros. */
static uint64_t word_at(struct span text, size_t i, size_t end)
{
    uint64_t word = 0;
    if (end - i >= sizeof(word)) {
        memcpy(&word, text.data + i, sizeof(word));
        return le64toh(word);
    }
    if (end >= sizeof(word)) {
        memcpy(&word, text.data + end - sizeof(word), sizeof(word));
        return le64toh(word) >> 8 * (sizeof(word) - (end - i));
    }
    memcpy(&word, text.data + i, end - i);
    return le64toh(word);
}

/* Where one of them stands, at or behind `i`; `end`: nowhere. */
static size_t find_between(
    struct span text, size_t i, size_t end, unsigned char first, unsigned char last)
{
    for (; i < end; i += sizeof(uint64_t)) {
        const uint64_t found = bytes_between(word_at(text, i, end), first, last);
        if (found != 0) {
            return i + (size_t)__builtin_ctzll(found) / 8;
        }
    }
    return end;
}

static size_t find_digit(struct span text, size_t i, size_t end)
{
    return find_between(text, i, end, '0', '9');
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void keep_until(struct seeing *s, size_t end)
{
    memcpy(s->out + s->size, s->text.data + s->taken, end - s->taken);
    s->size += end - s->taken;
    s->taken = end;
}

/* What is written is never more than what is taken. */
static size_t replace(struct seeing *s, size_t begin, size_t end, struct span seen)
{
    keep_until(s, begin);
    memcpy(s->out + s->size, seen.data, seen.size);
    s->size += seen.size;
    s->taken = end;
    return end;
}

/* --- runs of letters and digits -----------------------------------------------------------------
 */

struct run {
    size_t begin;
    size_t end;
    size_t digits;
    size_t parts; /* of letters alone or digits alone: two in S3140 */
    size_t rises; /* capitals behind small letters */
    bool is_hex;
};

static size_t run_begin(struct span text, size_t floor, size_t i)
{
    while (i > floor && is_word(text.data[i - 1])) {
        i--;
    }
    return i;
}

static struct run run_at(struct span text, size_t begin)
{
    struct run run = {.begin = begin, .end = begin, .is_hex = true};
    char last = '\0';
    for (; run.end < text.size && is_word(text.data[run.end]); run.end++) {
        const char c = text.data[run.end];
        run.digits += is_digit(c);
        run.parts += last == '\0' || is_digit(c) != is_digit(last);
        run.rises += is_upper(c) && is_letter(last) && !is_upper(last);
        run.is_hex = run.is_hex && is_hex(c);
        last = c;
    }
    return run;
}

static size_t run_size(const struct run *run)
{
    return run->end - run->begin;
}

static bool has_letters(const struct run *run)
{
    return run->digits < run_size(run);
}

/* The digits from `i` on, at most `max`; more than that are none. */
static size_t digits_at(struct span text, size_t i, size_t max)
{
    size_t count = 0;
    while (count <= max && is_digit(char_at(text, i + count))) {
        count++;
    }
    return count > max ? 0 : count;
}

/* --- addresses ----------------------------------------------------------------------------------
 */

/* Whom to ask; a server's own, and some of them tell who it is. */
static bool is_contact(struct span local)
{
    static const struct {
        const char *words;
        size_t size;
    } CONTACTS[] = {{"abuse", 5},     {"abuse_rbl", 9}, {"antispam", 8},    {"blacklist", 9},
                    {"blocklist", 9}, {"delist", 6},    {"dnsbl", 5},       {"hostmaster", 10},
                    {"mailadmin", 9}, {"noc", 3},       {"postmaster", 10}, {"rbl", 3},
                    {"removal", 7},   {"removals", 8},  {"spam", 4},        {"tosa", 4},
                    {"unblock", 7},   {"whitelist", 9}};
    for (size_t i = 0; i < sizeof(CONTACTS) / sizeof(CONTACTS[0]); i++) {
        if (span_equal_nocase(local, (struct span){CONTACTS[i].words, CONTACTS[i].size})) {
            return true;
        }
    }
    return false;
}

/* Not the end of a longer one (a+b@c of b@c), nor the beginning (b@c.d of b@c; but a sentence may
 * end behind it). */
static bool stands_alone(struct span text, size_t begin, size_t end)
{
    end += char_at(text, end) == '.';
    return !is_of_name(char_at(text, begin - 1)) && !is_of_name(char_at(text, end));
}

struct found {
    size_t begin;
    size_t end; /* 0: there is none */
};

/* The recipient, if the first @ of it is the one at `at`. */
static struct found find_recipient(struct span text, size_t at, struct span recipient)
{
    const char *sign = recipient.size == 0 ? NULL : memchr(recipient.data, '@', recipient.size);
    const size_t before = sign == NULL ? 0 : (size_t)(sign - recipient.data);
    if (sign == NULL || at < before || text.size - at < recipient.size - before) {
        return (struct found){0};
    }
    const struct found found = {at - before, at - before + recipient.size};
    const struct span there = {text.data + found.begin, recipient.size};
    return span_equal_nocase(there, recipient) && stands_alone(text, found.begin, found.end)
               ? found
               : (struct found){0};
}

/* Somebody else's: nothing but whom to ask is to be read in it. */
static struct found find_other(struct span text, size_t floor, size_t at)
{
    struct found found = {at, at + 1};
    while (found.begin > floor && is_of_name(text.data[found.begin - 1])) {
        found.begin--;
    }
    while (is_of_host(char_at(text, found.end))) {
        found.end++;
    }
    while (found.end > at + 1 && !is_word(text.data[found.end - 1])) {
        found.end--;
    }
    const struct span local = {text.data + found.begin, at - found.begin};
    const bool is_none = local.size == 0 || found.end == at + 1 ||
                         found.end - found.begin < ADDRESS_SIZE_MIN || is_contact(local);
    return is_none ? (struct found){0} : found;
}

/* One that is shorter than what would stand for it stays. */
static struct span address_of(struct span recipient)
{
    recipient = span_trim(recipient);
    if (recipient.size > 2 && recipient.data[0] == '<' &&
        recipient.data[recipient.size - 1] == '>') {
        recipient = (struct span){recipient.data + 1, recipient.size - 2};
    }
    return recipient.size < ADDRESS_SIZE_MIN ? SPAN_NONE : recipient;
}

/* --- IP addresses, dates and times --------------------------------------------------------------
 */

/* Each of these: where the thing that begins at `i` ends; 0: there is none. */

static size_t ipv4_end(struct span text, size_t i)
{
    if (char_at(text, i - 1) == '.' && is_digit(char_at(text, i - 2))) {
        return 0;
    }
    for (int part = 0; part < 4; part++) {
        const size_t digits = digits_at(text, i, 3);
        if (digits == 0 || (part < 3 && char_at(text, i + digits) != '.')) {
            return 0;
        }
        i += digits + (part < 3);
    }
    const bool goes_on =
        is_word(char_at(text, i)) || (char_at(text, i) == '.' && is_digit(char_at(text, i + 1)));
    return goes_on ? 0 : i;
}

static size_t ipv6_end(struct span text, size_t begin)
{
    size_t colons = 0;
    size_t digits = 0; /* in a row */
    bool has_gap = false;
    size_t i = begin;
    for (; digits <= 4 && (is_hex(char_at(text, i)) || char_at(text, i) == ':'); i++) {
        const bool is_colon = text.data[i] == ':';
        has_gap = has_gap || (is_colon && colons > 0 && digits == 0);
        colons += is_colon;
        digits = is_colon ? 0 : digits + 1;
    }
    if (digits == 0 && colons > 0 && text.data[i - 2] != ':') { /* ends a sentence's half */
        i--;
        colons--;
    }
    const bool is_address = digits <= 4 && !is_word(char_at(text, i)) &&
                            (colons == 7 || (has_gap && colons >= 2 && colons < 7));
    return is_address && i - begin >= IPV6_SIZE_MIN ? i : 0;
}

/* 10:17, 9:05:22.118Z */
static size_t time_end(struct span text, size_t i)
{
    const size_t hour = digits_at(text, i, 2);
    if (hour == 0 || char_at(text, i + hour) != ':' || digits_at(text, i + hour + 1, 2) != 2) {
        return 0;
    }
    i += hour + 3;
    if (char_at(text, i) == ':' && digits_at(text, i + 1, 2) == 2) {
        i += 3;
        const size_t fraction = digits_at(text, i + 1, 9);
        i += char_at(text, i) == '.' && fraction > 0 ? fraction + 1 : 0;
    }
    i += char_at(text, i) == 'Z';
    return is_word(char_at(text, i)) || char_at(text, i) == ':' ? 0 : i;
}

static bool is_joint_of_date(char c)
{
    return c == '-' || c == '/' || c == '.';
}

/* 2026-11-25, 25.11.2026; 2026-11-25T10:17:22.118Z */
static size_t date_end(struct span text, size_t i)
{
    const size_t first = digits_at(text, i, 4);
    const char joint = char_at(text, i + first);
    if ((first != 2 && first != 4) || !is_joint_of_date(joint) ||
        digits_at(text, i + first + 1, 2) != 2 || char_at(text, i + first + 3) != joint ||
        digits_at(text, i + first + 4, 4) != 6 - first) {
        return 0;
    }
    i += 10;
    const size_t time = char_at(text, i) == 'T' ? time_end(text, i + 1) : 0;
    i = time > 0 ? time : i;
    return is_word(char_at(text, i)) ? 0 : i;
}

/* 1tF3kQ-0004Xc-2B, 1MNcgj-1ue23t3pyV-00S2YR: sizes 6-6-2 or 6-11-4. */
static size_t exim_end(struct span text, const struct run *first)
{
    if (run_size(first) != 6 || !is_digit(text.data[first->begin]) ||
        char_at(text, first->end) != '-') {
        return 0;
    }
    const struct run second = run_at(text, first->end + 1);
    if (char_at(text, second.end) != '-' || (run_size(&second) != 6 && run_size(&second) < 10)) {
        return 0;
    }
    const struct run third = run_at(text, second.end + 1);
    return run_size(&third) >= 2 && run_size(&third) <= 6 && second.digits + third.digits > 0
               ? third.end
               : 0;
}

/* --- ids and numbers ----------------------------------------------------------------------------
 */

/* The word up to `end` looks like a link: `//`, or a slash behind a dot. */
static bool is_in_url(struct span text, size_t end)
{
    size_t begin = end;
    while (begin > 0 && end - begin < LOOK_MAX && text.data[begin - 1] != ' ') {
        begin--;
    }
    bool has_dot = false;
    for (size_t i = begin; i < end; i++) {
        const char c = text.data[i];
        if (c == '/' && (has_dot || char_at(text, i + 1) == '/')) {
            return true;
        }
        has_dot = has_dot || c == '.';
    }
    return false;
}

/* AS(201806281), (S2017062302): what a server calls an error. */
static bool is_code_in_parentheses(struct span text, const struct run *run)
{
    return char_at(text, run->begin - 1) == '(' && char_at(text, run->end) == ')' &&
           (is_letter(text.data[run->begin]) || is_letter(char_at(text, run->begin - 2)));
}

/* Base64 ends so. */
static bool is_padded(struct span text, const struct run *run)
{
    return char_at(text, run->end) == '=' && run_size(run) >= PADDED_SIZE_MIN &&
           (char_at(text, run->end + 1) == '=' || !is_of_name(char_at(text, run->end + 1)));
}

static bool is_id(struct span text, const struct run *run)
{
    if (!has_letters(run) || run->digits == 0) {
        return false;
    }
    const bool changes = run->parts >= ID_PARTS_MIN ||
                         (run->parts == ID_PARTS_MIN - 1 && run->digits >= ID_DIGITS_MIN) ||
                         run->rises * 4 >= run_size(run);
    return (run_size(run) >= ID_SIZE_MIN && (changes || (run->is_hex && run->digits >= 2))) ||
           (is_padded(text, run) && !is_in_url(text, run->begin));
}

/* Of a run with one number, before or behind letters. */
static size_t digits_begin(struct span text, const struct run *run)
{
    return is_digit(text.data[run->begin]) ? run->begin : run->end - run->digits;
}

/* 12345 bytes, 15000ms: measured, no code. */
static bool is_measured(struct span text, size_t end)
{
    static const char *const UNITS[] = {"byte", "kb", "mb", "kib", "ms", "milli", "sec", "octets"};
    const struct span rest = span_skip(text, end + (char_at(text, end) == ' '));
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (span_starts_nocase(rest, span_of(UNITS[i]))) {
            return true;
        }
    }
    return false;
}

static size_t number_digits_min(struct span text, const struct run *run)
{
    if (is_in_url(text, run->begin)) {
        return NUMBER_DIGITS_MIN_URL;
    }
    const size_t end = digits_begin(text, run) + run->digits;
    const bool goes_on = char_at(text, end) == '-' && is_digit(char_at(text, end + 1));
    return goes_on || is_measured(text, end) ? NUMBER_DIGITS_MIN - 1 : NUMBER_DIGITS_MIN;
}

static bool is_long_number(struct span text, const struct run *run)
{
    const size_t digits = run->digits;
    const bool is_number = !has_letters(run) || run->parts == 2;
    const bool is_code =
        has_letters(run) && is_letter(text.data[run->begin]) && digits <= CODE_DIGITS_MAX;
    return is_number && !is_code && digits >= NUMBER_DIGITS_MIN - 1 &&
           digits >= number_digits_min(text, run);
}

static bool is_joint_of_id(char c)
{
    return c == '-' || c == '.' || c == '_' || c == '+' || c == '/' || c == '=';
}

/* What belongs to an id behind a joint: anything with a digit, four hexadecimal letters (UUID). */
static bool is_more_of_id(const struct run *run)
{
    return run->digits > 0 || (run->is_hex && run_size(run) == 4);
}

/* To the end of an id that has joints in it. */
static size_t id_end(struct span text, size_t end)
{
    for (;;) {
        size_t i = end;
        while (i < end + 3 && is_joint_of_id(char_at(text, i))) {
            i++;
        }
        const struct run run = run_at(text, i);
        if (i == end || !is_more_of_id(&run)) {
            break;
        }
        end = run.end;
    }
    while (char_at(text, end) == '=') {
        end++;
    }
    return end;
}

/* cx5-20020a17090afd85: what stands before it is of it. */
static size_t id_begin(const struct seeing *s, size_t begin)
{
    if (begin <= s->taken + 1 || s->text.data[begin - 1] != '-') {
        return begin;
    }
    const struct run head = run_at(s->text, run_begin(s->text, s->taken, begin - 1));
    return head.digits > 0 && run_size(&head) <= HEAD_SIZE_MAX &&
                   !is_joint_of_id(char_at(s->text, head.begin - 1))
               ? head.begin
               : begin;
}

/* Letters that stand with it stay: size=10485760bytes. */
static size_t hide_number(struct seeing *s, const struct run *run)
{
    const size_t begin = digits_begin(s->text, run);
    const size_t end = begin + run->digits;
    return replace(s, begin, end == run->end ? id_end(s->text, end) : end, NUMBER_SEEN);
}

/* --- hosts --------------------------------------------------------------------------------------
 */

/* Of a name in the DNS, before the last two labels: mx784 in mx784.mail.example.org. */
static bool is_in_host(struct span text, const struct run *run)
{
    size_t dots = 0;
    size_t label = 0; /* the last one's size */
    bool is_name = true;
    for (size_t i = run->end; i - run->end < LOOK_MAX && is_of_host(char_at(text, i)); i++) {
        const bool is_dot = text.data[i] == '.';
        if (is_dot && !is_word(char_at(text, i + 1))) {
            break;
        }
        dots += is_dot;
        label = is_dot ? 0 : label + 1;
        is_name = (is_name || label <= 1) && (is_dot || is_letter(text.data[i]));
    }
    return dots >= 2 && label >= 2 && is_name;
}

/* mx784 and mx12 say the same; of one digit there are few. */
static size_t hide_host_digits(struct seeing *s, const struct run *run)
{
    for (size_t i = run->begin; i < run->end; i++) {
        size_t end = i;
        while (end < run->end && is_digit(s->text.data[end])) {
            end++;
        }
        if (end - i >= HOST_DIGITS_MIN) {
            (void)replace(s, i, end, DIGITS_SEEN);
        }
        i = end > i ? end - 1 : i;
    }
    return run->end;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

/* `]:34032` of the client behind its IP address. */
static size_t hide_port(struct seeing *s, size_t i)
{
    const char c = char_at(s->text, i);
    const size_t at = i + (c == ']' || c == ')');
    const size_t digits = char_at(s->text, at) == ':' ? digits_at(s->text, at + 1, 5) : 0;
    if (digits < PORT_DIGITS_MIN || is_word(char_at(s->text, at + 1 + digits))) {
        return i;
    }
    return replace(s, at + 1, at + 1 + digits, DIGITS_SEEN);
}

/* What goes on behind a run with one of . : - / and is known by that; 0: nothing of the kind. */
static size_t hide_marked(struct seeing *s, const struct run *run)
{
    const struct span text = s->text;
    size_t end = has_letters(run) ? 0 : ipv4_end(text, run->begin);
    if (end > 0) {
        (void)replace(s, run->begin, end, IPV4_SEEN);
        return hide_port(s, end);
    }
    end = has_letters(run) ? 0 : date_end(text, run->begin);
    if (end > 0) {
        return replace(s, run->begin, end, DATE_SEEN);
    }
    end = has_letters(run) ? 0 : time_end(text, run->begin);
    if (end > 0) {
        return replace(s, run->begin, end, TIME_SEEN);
    }
    end = run->is_hex ? ipv6_end(text, run->begin) : 0;
    if (end > 0) {
        return replace(s, run->begin, end, IPV6_SEEN);
    }
    end = exim_end(text, run);
    return end > 0 ? replace(s, run->begin, end, ID_SEEN) : 0;
}

/* At the first digit of a run; how far everything was looked at. */
static size_t hide_at_digit(struct seeing *s, size_t i)
{
    const struct run run = run_at(s->text, run_begin(s->text, s->taken, i));
    const char next = char_at(s->text, run.end);
    const bool goes_on = next == '.' || next == ':' || next == '-' || next == '/';
    const size_t end = goes_on ? hide_marked(s, &run) : 0;
    if (end > 0) {
        return end;
    }
    if (is_code_in_parentheses(s->text, &run)) {
        return run.end;
    }
    if (is_id(s->text, &run)) {
        return replace(s, id_begin(s, run.begin), id_end(s->text, run.end), ID_SEEN);
    }
    if (is_long_number(s->text, &run)) {
        return hide_number(s, &run);
    }
    return run.digits >= HOST_DIGITS_MIN && is_in_host(s->text, &run) ? hide_host_digits(s, &run)
                                                                      : run.end;
}

/* Between two addresses. */
static void hide_in_words(struct seeing *s, size_t begin, size_t end)
{
    const struct span whole = s->text;
    s->text.size = end;
    for (size_t i = find_digit(whole, begin, end); i < end; i = find_digit(whole, i, end)) {
        i = hide_at_digit(s, i);
    }
    s->text = whole;
}

static void hide_all(struct seeing *s, struct span recipient)
{
    size_t done = 0;
    const char *sign = s->text.data;
    const char *end = s->text.data + s->text.size;
    while (sign < end && (sign = memchr(sign, '@', (size_t)(end - sign))) != NULL) {
        const size_t at = (size_t)(sign++ - s->text.data);
        struct found found = find_recipient(s->text, at, recipient);
        const bool is_recipient = found.end > 0 && found.begin >= done;
        found = is_recipient ? found : find_other(s->text, done, at);
        if (found.end > 0) {
            hide_in_words(s, done, found.begin);
            done = replace(s, found.begin, found.end, is_recipient ? RECIPIENT_SEEN : ADDRESS_SEEN);
            sign = s->text.data + done;
        }
    }
    hide_in_words(s, done, s->text.size);
}

static bool has_space(struct span text)
{
    return find_between(text, 0, text.size, '\t', '\r') < text.size;
}

static size_t join_spaces(struct span text, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char c = is_space(text.data[i]) ? ' ' : text.data[i];
        if (c != ' ' || (size > 0 && out[size - 1] != ' ')) {
            out[size++] = c;
        }
    }
    return size;
}

struct span text_seen(struct span text, struct span recipient, char memory[TEXT_SEEN_MAX])
{
    char joined[TEXT_SEEN_MAX];
    text = span_cut(text, TEXT_SEEN_MAX);
    const bool is_joined = has_space(text);
    if (is_joined) {
        text = (struct span){joined, join_spaces(text, joined)};
    }
    struct seeing s = {.text = text};
    s.out = memory;
    if (text.size > 0) {
        hide_all(&s, address_of(recipient));
    }
    if (s.taken == 0 && !is_joined) {
        return text;
    }
    keep_until(&s, text.size);
    return (struct span){memory, s.size};
}
