/* tests/test_text_seen.c - what the patterns see of a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "classify/text_seen.h"

#include "tests/check.h"

static void assert_seen(const char *text, const char *recipient, const char *wanted)
{
    char memory[TEXT_SEEN_MAX];
    const struct span seen = text_seen(span_of(text), span_of(recipient), memory);
    if (!span_equal(seen, span_of(wanted))) {
        fail_msg("of %s is seen %.*s", text, SPAN_ARGS(seen));
    }
}

static void line_breaks_and_tabs_are_one_space(void **state)
{
    (void)state;
    assert_seen("a\r\n b\t\tc", "", "a b c");
    assert_seen("\n a  b", "", "a b");
}

static void the_recipients_address_is_seen_as_one_of_nobody(void **state)
{
    (void)state;
    assert_seen("<ana@full.example>: no", "ana@full.example", "<x@x.x>: no");
    assert_seen("<ANA@Full.Example>: no", "ana@full.example", "<x@x.x>: no");
    assert_seen("to <ana@full.example> no", " <ana@full.example> ", "to <x@x.x> no");
    assert_seen("ana@full.example", "ana@full.example", "x@x.x");
    assert_seen("no ana@full.example.", "ana@full.example", "no x@x.x.");
    assert_seen("rfc822;ana@full.example=no", "ana@full.example", "rfc822;x@x.x=no");
    assert_seen("a@b ana@full.example ana@full.example c@d", "ana@full.example",
                "a@b x@x.x x@x.x c@d");
    assert_seen("ana@full.example\r\n\tana@full.example", "ana@full.example", "x@x.x x@x.x");
    assert_seen("\"a@b\"@c.example", "\"a@b\"@c.example", "x@x.x");
    assert_seen("收件人ana@full.example不存在", "ana@full.example", "收件人x@x.x不存在");
}

static void another_address_is_seen_as_one_of_somebody_else(void **state)
{
    (void)state;
    const char *const texts[][2] = {
        {"ana@full.example.org", "y@y.y"},
        {"bo+ana@full.example", "y@y.y"},
        {"<bo.ana@full.example>", "<y@y.y>"},
        {"moved to bob@x.example.", "moved to y@y.y."},
        {"ana@full.example, bob@x.example", "x@x.x, y@y.y"},
        {"bob@x.example,ana@full.example", "y@y.y,x@x.x"},
        {"RCPT TO:<bob1234567890@x.example> 1234567", "RCPT TO:<y@y.y> 00000"},
        {"id 2E4d6D9b1B bob@x.example", "id x0x0 y@y.y"},
        {"rfc822;bob@x.example=no", "rfc822;y@y.y=no"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_seen(texts[i][0], "ana@full.example", texts[i][1]);
        assert_seen(texts[i][0], "ANA@FULL.example", texts[i][1]);
    }
    assert_seen("<full@blocked.example>: unknown", "", "<y@y.y>: unknown");
}

static void whom_to_ask_and_what_is_no_address_stay(void **state)
{
    (void)state;
    const char *const texts[] = {"full.example",
                                 "ana",
                                 "@full.example",
                                 "postmaster@x.example",
                                 "forward this to abuse_rbl@abuse-att.net",
                                 "contact tosa@rx.t-online.de",
                                 "a@b",
                                 "ana@",
                                 "ana@-",
                                 "@"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_seen(texts[i], "ana@full.example", texts[i]);
    }
}

static void ip_addresses_are_seen_as_one(void **state)
{
    (void)state;
    assert_seen("[203.0.113.45] is blocked", "", "[1.1.1.1] is blocked");
    assert_seen("IP=203.0.113.4 - A problem", "", "IP=1.1.1.1 - A problem");
    assert_seen("host[203.0.113.45]:25: refused", "", "host[1.1.1.1]:25: refused");
    assert_seen("[203.0.113.45]:34032 is in", "", "[1.1.1.1]:0 is in");
    assert_seen("203.0.113.45:34032 is in", "", "1.1.1.1:0 is in");
    assert_seen("see http://a.example/?203.0.113.9.", "", "see http://a.example/?1.1.1.1.");
    assert_seen("45.113.0.203.zen.spamhaus.org", "", "1.1.1.1.zen.spamhaus.org");
    assert_seen("[2001:db8::7] and 2a01:111:f403:c10::1: no", "", "[2001::1] and 2001::1: no");
    assert_seen("IPv6:2001:db8:1:2:3:4:5:6", "", "IPv6:2001::1");
    assert_seen("1.2.3 1.2.3.4.5 1.2.3.1234 1.2.3.4x", "", "1.2.3 1.2.3.4.5 1.2.3.1234 1.2.3.4x");
}

static void ids_are_seen_as_one(void **state)
{
    (void)state;
    static const char *const IDS[] = {
        "2E4d6D9b1B",
        "4TqXbP3w2Zz9vKq",
        "a03ab15d-1d81-442c-964f-4a23c88f44cf",
        "4DA765B1-6-6565EC3F-FFFF",
        "cx5-20020a17090afd8500b002135de3013fsm2332009pjb.32",
        "d9443c01a7336-2",
        "1tF3kQ-0004Xc-2B",
        "1MNcgj-1ue23t3pyV-00S2YR",
        "0bcW1i00G0jifNx01bcmHa",
        "V2VkIEFwciAgMyAxNjozNjo1OSBKU1QgMjAxOQo=/RkNGMjlFQTVEQ0E",
        "MzQ2ODM=",
        "jtKowAB3",
        "8a3f7b15.0.1234.00-2210.5678.s12p02m045",
    };
    for (size_t i = 0; i < sizeof(IDS) / sizeof(IDS[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "no (id %s) [%s] - gsmtp", IDS[i], IDS[i]);
        assert_seen(text, "", "no (id x0x0) [x0x0] - gsmtp");
    }
    assert_seen("[DB5EUR03FT015.eop-EUR03.prod.protection.outlook.com]", "",
                "[x0x0.eop-EUR0.prod.protection.outlook.com]");
}

static void dates_times_and_long_numbers_are_seen_as_one(void **state)
{
    (void)state;
    assert_seen("2024-06-11T09:04:02.679Z on 11.06.2024 at 9:04, 23:59:59", "",
                "1-1-2001 on 1-1-2001 at 0:00, 0:00");
    assert_seen("size 4000000 over limit 10485760bytes", "", "size 00000 over limit 00000bytes");
    assert_seen("RP:RCL 126 smtp3 1612345678.123-9", "", "RP:RCL 126 smtp3 00000");
    assert_seen("id1612345678", "", "id00000");
    assert_seen("id=20025-09 of (id-34054-07247)", "", "id=00000 of (id-00000)");
    assert_seen("after 15000 milliseconds, 12345 bytes of 10240kB", "",
                "after 00000 milliseconds, 00000 bytes of 00000kB");
}

static void numbers_in_names_of_hosts_are_seen_as_one(void **state)
{
    (void)state;
    assert_seen("mx784.mail.example.org said", "", "mx0.mail.example.org said");
    assert_seen("ec2-192-10-22-37.compute.example.com", "", "ec2-0-0-0-0.compute.example.com");
    assert_seen("smtp12.163.com", "", "smtp0.163.com");
}

/* What rules are about. */
static void what_a_server_calls_an_error_stays(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "block list (S3140)",
        "AUP#In-1310 AUP#CXSNDR",
        "[TSS04] [TS03] [IPTS04]",
        "(HVU:B1) DNS:B2",
        "RP-001 OU-002 (BAY004-MC1F23)",
        "5.7.511 and 550-5.1.10",
        "Access denied. AS(201806281)",
        "mailbox unavailable (S2017062302)",
        "[CS01] [HM08] IB603 IB704x",
        "BL000001 RL000003 LPN000_630 OFR006_102 LPN105_402",
        "https://support.google.com/mail/?p=ReceivingRatePerm",
        "https://support.google.com/mail/?p=IPv6AuthError",
        "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726",
        "https://support.google.com/a/answer/3221692",
        "https://postmaster.aol.com/error-codes#554hvub2",
        "https://support.apple.com/en-us/HT204137",
        "legacyId=TECH246726",
        "http://mail.163.com/help/help_spam_16.htm",
        "dnsbl-2.uceprotect.net, b.barracudacentral.org, 163.com",
        "RFC 5322 rfc2822 utf8 7bit 8BITMIME x25519 sha256",
        "Winsock error code: 10060, line 998",
        "limit of 1024 kB, 5 MB, 450 messages/3600s",
        "(state 18) 4.7.0 [7.7] 20805",
        "Office365 Windows2008",
        "HELO abcd:ef 12:3",
        "收件人1234不存在",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        assert_seen(TEXTS[i], "", TEXTS[i]);
        assert_seen(TEXTS[i], "ana@full.example", TEXTS[i]);
    }
}

/* What is seen is never longer than what was said. */
static void any_bytes_are_seen_and_none_behind_them(void **state)
{
    (void)state;
    static const char BYTES[] = "0123456789abcdefXYZ.:-_@/=+[]<>() \t\n\xc3\xff";
    struct chance chance = chance_init("test_text_seen");
    for (int i = 0; i < 200000; i++) {
        const size_t size = (size_t)chance_below(&chance, 48);
        char *text = malloc(size + (size == 0)); /* what lies behind is the sanitizer's */
        char memory[TEXT_SEEN_MAX];
        assert_non_null(text);
        for (size_t j = 0; j < size; j++) {
            text[j] = BYTES[chance_below(&chance, sizeof(BYTES) - 1)];
        }
        assert_true(text_seen((struct span){text, size}, SPAN("a@b.c"), memory).size <= size);
        free(text);
    }
}

static void what_is_no_address_stands_nowhere(void **state)
{
    (void)state;
    assert_seen("full.example", "full.example", "full.example");
    assert_seen("a@b", "a@b", "a@b"); /* shorter than what would stand for it */
    assert_seen("a@", "", "a@");
    assert_seen("<>", "<>", "<>");
    assert_seen("@@@@@", "@@@@@", "x@x.x");
    assert_seen("", "ana@full.example", "");
}

static void of_a_long_text_only_the_beginning_is_seen(void **state)
{
    (void)state;
    static char text[2 * TEXT_SEEN_MAX];
    char memory[TEXT_SEEN_MAX];
    const struct span address = SPAN("ana@full.example");
    memset(text, ' ', sizeof(text));
    memcpy(text + TEXT_SEEN_MAX - address.size, address.data, address.size);
    memcpy(text + TEXT_SEEN_MAX, ".org", 4);
    struct span seen = text_seen((struct span){text, sizeof(text)}, address, memory);
    assert_int_equal(seen.size, TEXT_SEEN_MAX - address.size + 5);
    assert_memory_equal(seen.data + seen.size - 5, "x@x.x", 5);
    text[0] = '\n';
    seen = text_seen((struct span){text, sizeof(text)}, address, memory);
    assert_int_equal(seen.size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_breaks_and_tabs_are_one_space),
        cmocka_unit_test(the_recipients_address_is_seen_as_one_of_nobody),
        cmocka_unit_test(another_address_is_seen_as_one_of_somebody_else),
        cmocka_unit_test(whom_to_ask_and_what_is_no_address_stay),
        cmocka_unit_test(ip_addresses_are_seen_as_one),
        cmocka_unit_test(ids_are_seen_as_one),
        cmocka_unit_test(dates_times_and_long_numbers_are_seen_as_one),
        cmocka_unit_test(numbers_in_names_of_hosts_are_seen_as_one),
        cmocka_unit_test(what_a_server_calls_an_error_stays),
        cmocka_unit_test(any_bytes_are_seen_and_none_behind_them),
        cmocka_unit_test(what_is_no_address_stands_nowhere),
        cmocka_unit_test(of_a_long_text_only_the_beginning_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
