/* tests/test_mail.c - what is found in a mail, however it is put together.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "classify/mail.h"

#define HEAD "From: a@x.example\nMIME-Version: 1.0\n"
#define MULTIPART(boundary)                                                                        \
    "Content-Type: multipart/report; report-type=delivery-status;\n\tboundary=" boundary "\n\n"
#define STATUS "Content-Type: message/delivery-status\n\n"
#define FIELDS "Final-Recipient: rfc822; a@x.example\n"

static void assert_span(struct span actual, const char *expected)
{
    if (!span_equal(actual, span_of(expected))) {
        print_error("expected %s\nis       %.*s\n", expected, SPAN_ARGS(actual));
        fail();
    }
}

static void assert_report(const char *text, const char *fields)
{
    struct mail mail;
    assert_int_equal(mail_read(span_of(text), &mail), OK);
    assert_int_equal(mail.report, fields == NULL ? REPORT_NONE : REPORT_DELIVERY);
    assert_span(mail.report_fields, fields == NULL ? "" : fields);
    mail_fini(&mail);
}

static void assert_returned(const char *text, const char *fields)
{
    struct mail mail;
    assert_int_equal(mail_read(span_of(text), &mail), OK);
    assert_span(mail.returned_fields, fields);
    mail_fini(&mail);
}

static void a_report_is_found_by_its_type_in_any_case(void **state)
{
    (void)state;
    assert_report(HEAD MULTIPART("b") "--b\n" STATUS FIELDS "\n--b--\n", FIELDS);
    assert_report(HEAD "content-TYPE: Multipart/Report; Boundary=b\n\n--b\n"
                       "CONTENT-type: MESSAGE/Delivery-Status; x=y\n\n" FIELDS "\n--b--\n",
                  FIELDS);
    assert_report(HEAD STATUS FIELDS, FIELDS);
    assert_report(HEAD "\n" STATUS FIELDS, NULL);
    assert_report(HEAD "Content-Type: text/plain\n\n" STATUS FIELDS, NULL);
}

static void a_boundary_may_be_quoted_and_stand_among_comments(void **state)
{
    (void)state;
    assert_report(HEAD MULTIPART("\"=_\\\"; x\"") "--=_\"; x\n" STATUS FIELDS "\n--=_\"; x--\n",
                  FIELDS);
    assert_report(HEAD MULTIPART("(a (b) \\) ; c) b (d)") "--b\n" STATUS FIELDS "\n--b--\n",
                  FIELDS);
    assert_report(HEAD "Content-Type: multipart/mixed; name=\"boundary=c\"; boundary = b\n\n"
                       "--b\n" STATUS FIELDS "\n--b--\n",
                  FIELDS);
    assert_report(HEAD "Content-Type: multipart/mixed\n\n--b\n" STATUS FIELDS "\n--b--\n", NULL);
}

static void only_a_whole_line_is_a_boundary(void **state)
{
    (void)state;
    assert_report(HEAD MULTIPART("b") "--bc\n--b c\nx--b\n--b \t\r\n" STATUS FIELDS
                                      "x--b\n--bc\n--b--c\n\r\n--b-- \n",
                  FIELDS "x--b\n--bc\n--b--c\n");
    assert_report(HEAD MULTIPART("b") "--b\n" STATUS FIELDS, FIELDS);
    assert_report(HEAD MULTIPART("b") "--b--\n--b\n" STATUS FIELDS, NULL);
    assert_report(HEAD MULTIPART("b"), NULL);
}

static void lines_may_end_with_carriage_returns(void **state)
{
    (void)state;
    assert_report("From: a\r\nContent-Type: multipart/report;\r\n boundary=b\r\n\r\nfor people\r\n"
                  "--b\r\nContent-Type: message/delivery-status\r\n\r\n" FIELDS "\r\n--b--\r\n",
                  FIELDS);
}

static void parts_lie_in_parts_and_mails_in_mails(void **state)
{
    (void)state;
    assert_report(HEAD MULTIPART("a") "--a\n" MULTIPART("ab") "--ab\n\nx\n--ab\n" STATUS FIELDS
                                                              "\n--ab--\n--a--\n",
                  FIELDS);
    assert_report(HEAD MULTIPART("a") "--a\nContent-Type: message/rfc822\n\n" HEAD MULTIPART(
                      "b") "--b\n" STATUS FIELDS "\n--b--\n--a--\n",
                  FIELDS);
    /* the outer boundary ends what lies inside, closed or not */
    assert_report(HEAD MULTIPART("a") "--a\n" MULTIPART("b") "--b\n" STATUS FIELDS
                                                             "\n--a--\n" FIELDS,
                  FIELDS);
}

/* A mail in so many others. */
static void assert_report_at(int depth, const char *fields)
{
    char memory[4096];
    struct writer text = writer_init(memory, sizeof(memory) - 1);
    put_bytes(&text, SPAN(HEAD));
    for (int i = 0; i < depth; i++) {
        put_bytes(&text, SPAN("Content-Type: message/rfc822\n\n"));
    }
    put_bytes(&text, SPAN(STATUS FIELDS));
    assert_false(text.overflowed);
    memory[text.size] = '\0';
    assert_report(memory, fields);
}

static void what_lies_deeper_than_it_may_is_not_found(void **state)
{
    (void)state;
    assert_report_at(MAIL_DEPTH_MAX, FIELDS);
    assert_report_at(MAIL_DEPTH_MAX + 1, NULL);
}

static void a_content_may_be_encoded(void **state)
{
    (void)state;
    assert_report(HEAD "Content-Transfer-Encoding: Base64\n" STATUS
                       "RmluYWwtUmVjaXBp\r\nZW50OiA=\n!YUBi\n",
                  "Final-Recipient: a@b");
    assert_report(HEAD "Content-Transfer-Encoding: quoted-printable\n" STATUS
                       "a=3Db=\nc=\r\nd=3de=zz=4=",
                  "a=bcd=e=zz=4=");
    assert_report(HEAD "Content-Transfer-Encoding: 8bit\n" STATUS "a=3D", "a=3D");
}

static void the_returned_head_stands_behind_the_report(void **state)
{
    (void)state;
    assert_returned(HEAD MULTIPART("b") "--b\n" STATUS FIELDS
                                        "\n--b\nContent-Type: text/rfc822-headers\n\nTo: c\n"
                                        "\n--b\nContent-Type: text/rfc822-headers\n\nTo: d\n"
                                        "\n--b--\n",
                    "To: c\n");
    assert_returned(HEAD MULTIPART("b") "--b\nContent-Type: text/rfc822-headers\n\nTo: c\n\n"
                                        "--b\n" STATUS FIELDS
                                        "\n--b\nContent-Type: message/rfc822\n\nTo: d\n\nTo: e\n"
                                        "\n--b--\n",
                    "To: d\n");
}

static void mails_begin_with_a_field_or_the_line_of_mbox(void **state)
{
    struct mail mail;
    (void)state;
    assert_int_equal(mail_read(SPAN("hello\n"), &mail), ERR_BAD_FORMAT);
    assert_int_equal(mail_read(SPAN_NONE, &mail), ERR_BAD_FORMAT);
    assert_int_equal(mail_read(SPAN("\nTo: a\n"), &mail), ERR_BAD_FORMAT);
    assert_report("From b@x.example Sat Nov 21 10:05:00 2026\n" HEAD STATUS FIELDS, FIELDS);
}

/* A library that parsed the addresses of all heads overflowed the stack here. */
static void addresses_that_nobody_asks_for_cost_nothing(void **state)
{
    enum { GROUPS = 100000, TEXT_SIZE = 2 * GROUPS + 256 };
    char *memory = malloc(TEXT_SIZE);
    struct writer text = writer_init(memory, TEXT_SIZE);
    struct mail mail;
    (void)state;
    assert_non_null(memory);
    put_bytes(&text, SPAN("To: "));
    for (size_t i = 0; i < GROUPS; i++) {
        put_bytes(&text, SPAN("a:"));
    }
    put_bytes(&text, SPAN("\n" STATUS FIELDS));
    assert_false(text.overflowed);
    assert_int_equal(mail_read(writer_span(&text), &mail), OK);
    assert_int_equal(mail.report, REPORT_DELIVERY);
    mail_fini(&mail);
    free(memory);
}

static void dates_are_read_as_they_are_found(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0: no date */
    } DATES[] = {
        {"Sat, 21 Nov 2026 10:05:00 +0000", INT64_C(1795255500000)},
        {"Sat, 21 Nov 2026 11:05:00 +0100 (CET)", INT64_C(1795255500000)},
        {"21 Nov 2026 10:05 GMT", INT64_C(1795255500000)},
        {" Sat,21 nov 26 05:05:00 EST", INT64_C(1795255500000)},
        {"Sat Nov 21 10:05:00 2026", INT64_C(1795255500000)},
        {"(a) Sat, (b) 21 Nov\n 2026 9:05:00 -0100", INT64_C(1795255500000)},
        {"21 Nov 2026 10:05:00 +000", INT64_C(1795255500000)},
        {"5 Jan 99 00:00:00 Z", INT64_C(915494400000)},
        {"31 Nov 2026 10:05:00 +0000", 0},
        {"21 Nov 2026 25:05:00 +0000", 0},
        {"21 Nov 2026", 0},
        {"Nov 2026 10:05:00", 0},
        {"", 0},
        {"yesterday", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++) {
        int64_t ms = 0;
        print_message("%s\n", DATES[i].text);
        assert_int_equal(fields_date_ms(span_of(DATES[i].text), &ms), DATES[i].ms != 0);
        assert_int_equal(DATES[i].ms == 0 ? 0 : ms, DATES[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_found_by_its_type_in_any_case),
        cmocka_unit_test(a_boundary_may_be_quoted_and_stand_among_comments),
        cmocka_unit_test(only_a_whole_line_is_a_boundary),
        cmocka_unit_test(lines_may_end_with_carriage_returns),
        cmocka_unit_test(parts_lie_in_parts_and_mails_in_mails),
        cmocka_unit_test(what_lies_deeper_than_it_may_is_not_found),
        cmocka_unit_test(a_content_may_be_encoded),
        cmocka_unit_test(the_returned_head_stands_behind_the_report),
        cmocka_unit_test(mails_begin_with_a_field_or_the_line_of_mbox),
        cmocka_unit_test(addresses_that_nobody_asks_for_cost_nothing),
        cmocka_unit_test(dates_are_read_as_they_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
