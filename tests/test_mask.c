/* tests/test_mask.c - what differs from one recipient or message to the next is gone, the words stay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "classify/mask.h"

#include "tests/check.h"

enum { SIZE = 240 };

static const char *masked(const char *text, const char *recipient)
{
    static char out[SIZE + 1];
    out[mask_text(span_of(text), span_of(recipient), out, SIZE)] = '\0';
    return out;
}

struct row {
    const char *text;
    const char *masked;
};

static void assert_rows(const struct row *rows, size_t count, const char *recipient)
{
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(masked(rows[i].text, recipient), rows[i].masked);
    }
}

#define ASSERT_ROWS(recipient, ...)                                                                \
    do {                                                                                           \
        static const struct row ROWS[] = {__VA_ARGS__};                                            \
        assert_rows(ROWS, sizeof(ROWS) / sizeof(ROWS[0]), recipient);                              \
    } while (0)

static void addresses_are_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(
        NULL, {"<ana@example.com>: no such user", "<{address}>: no such user"},
        {"<ana@example.com>... User unknown", "<{address}>... User unknown"},
        {"mailbox ana.b+tag@mail.example.co.uk is over quota", "mailbox {address} is over quota"},
        {"ana@example.com, bob@example.com: both", "{address}, {address}: both"},
        {"T=[ana@example.jp] S=[x]", "T=[{address}] S=[x]"}, {"to='ana@example.com'", "{address}'"},
        {"\"ana maria\"@example.com rejected", "{address} rejected"},
        {"ana@[192.0.2.7] rejected", "{address} rejected"},
        {"rcpt:ana@example.com.", "rcpt:{address}."},
        {"bounce+4711-ana=example.org@mail.example.com", "{address}"},
        {"prvs=1234abcd=ana@example.com refused", "{address} refused"},
        {"ana%40example.com refused", "{address} refused"},
        {"j\xc3\xb6rg@m\xc3\xbcller.example refused", "{address} refused"},
        {"mailto:ana@example.com", "mailto:{address}"},
        {"<ana> does not exist", "<{id}> does not exist"}, {"price @ night", "price @ night"}, );
}

static void the_recipients_name_is_gone_also_alone(void **state)
{
    (void)state;
    ASSERT_ROWS("<Ana.Maria@example.com>", {"unknown user: ana.maria", "unknown user: {address}"},
                {"quota of /home/ANA.MARIA/INBOX", "quota of /home/{address}/INBOX"},
                {"user 'ana.maria' not found", "user '{address}' not found"},
                {"(ana.maria)", "({address})"}, {"bananarama", "bananarama"}, );
    ASSERT_ROWS("user@example.com", {"no such user here", "no such user here"}, );
    ASSERT_ROWS("a@example.com", {"not a mailbox", "not a mailbox"}, );
}

static void ip_addresses_are_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(NULL, {"Client host [192.0.2.49] blocked", "Client host [{ip}] blocked"},
                {"mx[192.0.2.49]:25 refused", "mx[{ip}]:{n} refused"},
                {"from 192.0.2.49:2525 refused", "from {ip} refused"},
                {"net 192.0.2.0/24.", "net {ip}."}, {"IP=192.0.2.49.", "IP={ip}."},
                {"[IPv6:2001:db8::1] blocked", "[{ip}] blocked"},
                {"2001:db8:0:1:2:3:4:5: blocked", "{ip}: blocked"}, {"::1 is us", "{ip} is us"},
                {"IPv6 is needed", "IPv6 is needed"}, );
}

static void hosts_are_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(
        NULL, {"lost connection with mx1.example.org while", "lost connection with {host} while"},
        {"domain [EXAMPLE.JP] does not pass", "domain [{host}] does not pass"},
        {"TYCP286MB3363.JPNP286.PROD.OUTLOOK.COM said", "{host} said"},
        {"no MX for m\xc3\xbcller.example", "no MX for {host}"},
        {"type=A name=neko.example.jp: not found", "type=A name={host}: not found"},
        {"mx-4.xn--bcher-kva.xn--p1ai down", "{host} down"},
        {"RESOLVER.ADR.RecipientNotFound; not found", "RESOLVER.ADR.RecipientNotFound; not found"},
        {"Try again in an hour.Please do", "Try again in an hour.Please do"},
        {"e.g. this", "e.g. this"}, );
}

static void times_and_numbers_are_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(NULL, {"until 2024-06-11T09:04:02.679Z or so", "until {time} or so"},
                {"at 10:17:22 today", "at {time} today"}, {"on 25.11.2026 10:17", "on {time}"},
                {"Wed, 25 Nov 2026 10:17:22 +0000 (UTC)", "{time} (UTC)"},
                {"Wed Nov 25 10:17:22 2026: gone", "{time}: gone"},
                {"since 11/25/2026", "since {time}"},
                {"it may take 5 minutes", "it may take {n} minutes"}, {"it may", "it may"},
                {"sun and mon", "sun and mon"},
                {"10000000 bytes, limit 5MB, 30min", "{n} bytes, limit {n}MB, {n}min"},
                {"8bit data, -1.5", "{n}bit data, -{n}"}, {"1,024 of 2", "{n},{n} of {n}"}, );
}

static void ids_are_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(NULL, {"queued as 4TqXbP3w2Zz9vKq", "queued as {id}"}, {"3F2A1B0C9D: x", "{id}: x"},
                {"1rABcD-0001Ab-2C said", "{id} said"}, {"27LDkZ0X012345 Message", "{id} Message"},
                {"7d39d529-9584-f4be-a161-27e61f5f5400", "{id}"},
                {"d2e1a72fcca58-7cb28a1sm2 - gsmtp", "{id} - gsmtp"},
                {"41be03b00d2f7-b93bf44f0c0si6882731a12.803 - gsmtp", "{id} - gsmtp"},
                {"08DC8850F12E1502", "{id}"}, {"deadbeef01", "{id}"},
                {"[V2VkIEFwciAgMyAxNjoz/RkNGMjlFQTVE4Q== x]", "[{id} x]"},
                {"QmxhZmFzZWxCbGFGYXNlbA refused", "{id} refused"},
                {"\xe6\x94\xb6\xe4\xbb\xb6\xe4\xba\xba"
                 "100\xe4\xb8\xaa",
                 "\xe6\x94\xb6\xe4\xbb\xb6\xe4\xba\xba{n}\xe4\xb8\xaa"}, );
}

static void codes_and_words_stay(void **state)
{
    (void)state;
    ASSERT_ROWS(
        NULL, {"550 5.1.1 gone", "550 5.1.1 gone"},
        {"said: 550-5.1.1 gone", "said: 550-5.1.1 gone"}, {"sorry (#5.7.1)", "sorry (#5.7.1)"},
        {"550 messages of 550", "550 messages of {n}"},
        {"poor reputation. IB605", "poor reputation. IB605"}, {"LPN105_402", "LPN105_402"},
        {"[TSS04] deferred, see DOC-1369#554", "[TSS04] deferred, see DOC-1369#554"},
        {"(S3150) OU-001 AUP#In-1310", "(S3150) OU-001 AUP#In-1310"},
        {"The user's mailbox doesn't exist", "The user's mailbox doesn't exist"},
        {"TLSv1.2 RFC5322 OAuth2", "TLSv1.2 RFC5322 OAuth2"},
        {"Empf\xc3\xa4nger unbekannt", "Empf\xc3\xa4nger unbekannt"},
        {"MapiExceptionShutoffQuotaExceeded", "MapiExceptionShutoffQuotaExceeded"}, {"", ""}, );
}

static void of_a_url_host_and_page_stay(void **state)
{
    (void)state;
    ASSERT_ROWS(NULL,
                {"see https://support.google.com/mail/?p=NoSuchUser x",
                 "see https://support.google.com/mail/?{query} x"},
                {"http://www.example.com/lookup/192.0.2.1.", "http://www.example.com/lookup/{id}."},
                {"https://support.google.com/a/answer/168383.",
                 "https://support.google.com/a/answer/168383."},
                {"(https://x.example/r/4TqXbP3w2Zz9vKq)", "(https://x.example/r/{id})"},
                {"http://192.0.2.1/x", "http://{host}/x"},
                {"http://ana@x.example/y", "http://{host}/y"},
                {"https://x.example/u/ana@example.com/y", "https://x.example/u/{id}/y"},
                {"www.example.org/errors#e1", "www.example.org/errors#e1"}, );
}

static void what_could_harm_a_terminal_is_gone(void **state)
{
    (void)state;
    ASSERT_ROWS(NULL, {" a \t\r\n b\x1b[31mc ", "a b [{n}mc"}, {"a\xff\xfe b", "a?? b"},
                {"a\xc2\x9b"
                 "31m",
                 "a?{n}m"}, );
}

static void no_character_is_cut_in_two_and_the_bound_holds(void **state)
{
    (void)state;
    static const char TEXT[] =
        "\xe6\x94\xb6\xe4\xbb\xb6 <ana@example.com> 10:17:22 https://x.example/";
    for (size_t capacity = 0; capacity < sizeof(TEXT); capacity++) {
        char *out =
            malloc(capacity + 1); /* its own allocation, so that the sanitizer sees the end */
        const size_t size = mask_text(SPAN(TEXT), SPAN_NONE, out, capacity);
        assert_true(size <= capacity);
        assert_true(size == 0 || (unsigned char)out[size - 1] < 0x80 || size % 3 == 0);
        free(out);
    }
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ana@example, 192.0.2.1 */
static bool has_address(const char *text)
{
    for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@')) {
        if (at > text && is_alnum(at[-1]) && is_alnum(at[1])) {
            return true;
        }
    }
    for (const char *c = text; *c != '\0'; c++) {
        char end[2];
        if (sscanf(c, "%*u.%*u.%*u.%1[0-9]", end) == 1) { // NOLINT(cert-err34-c)
            return true;
        }
    }
    return false;
}

static void no_address_of_the_labelled_replies_is_left(void **state)
{
    (void)state;
    char line[16384];
    size_t count = 0;
    FILE *file = fopen(TESTS_DIRECTORY "/data/replies/replies-own.jsonl", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *text = strstr(line, "\"text\": \"");
        char *end = strstr(line, "\", \"recipient_domain\"");
        if (text == NULL || end == NULL) {
            fail_msg("not a line of replies: %s", line);
            continue;
        }
        *end = '\0';
        const char *out = masked(text + 9, "zoe@x.example");
        if (has_address(out) || strstr(out, "zoe") != NULL) {
            fail_msg("%s is left of %s", out, text);
        }
        count++;
    }
    fclose(file);
    assert_true(count > 1000);
}

/* Whatever the bytes: nothing is read or written beyond the ends, and what comes out is masked. */
static void any_bytes_are_taken(void **state)
{
    (void)state;
    static const char ALPHABET[] = "ab1Z9.-_@:/<>[]\"'=%40? \xc3\xa4\xff(httpw+#,";
    struct chance chance = chance_init("mask");
    for (int round = 0; round < 20000; round++) {
        const size_t size = chance_below(&chance, 80);
        char *text = malloc(size + 1);
        char out[SIZE];
        for (size_t i = 0; i < size; i++) {
            text[i] = ALPHABET[chance_below(&chance, sizeof(ALPHABET) - 1)];
        }
        assert_true(mask_text((struct span){text, size}, SPAN("b1@x"), out,
                              1 + chance_below(&chance, SIZE)) <= SIZE);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_gone),
        cmocka_unit_test(the_recipients_name_is_gone_also_alone),
        cmocka_unit_test(ip_addresses_are_gone),
        cmocka_unit_test(hosts_are_gone),
        cmocka_unit_test(times_and_numbers_are_gone),
        cmocka_unit_test(ids_are_gone),
        cmocka_unit_test(codes_and_words_stay),
        cmocka_unit_test(of_a_url_host_and_page_stay),
        cmocka_unit_test(what_could_harm_a_terminal_is_gone),
        cmocka_unit_test(no_character_is_cut_in_two_and_the_bound_holds),
        cmocka_unit_test(no_address_of_the_labelled_replies_is_left),
        cmocka_unit_test(any_bytes_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
