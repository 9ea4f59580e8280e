/* tests/test_sender_names.c - a return path names tenant and campaign.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "classify/sender_names.h"

static void assert_names(const char *template,
                         const char *sender,
                         const char *tenant,
                         const char *campaign)
{
    const struct sender_names names = sender_names_of(span_of(template), span_of(sender));
    assert_null(sender_template_check(span_of(template)));
    assert_true(span_equal(names.tenant, span_of(tenant)));
    assert_true(span_equal(names.campaign, span_of(campaign)));
}

static void holes_take_what_stands_in_their_place(void **state)
{
    (void)state;
    assert_names("b+{campaign}.{}@{tenant}.bounce.example",
                 "b+spring26.ana=x.example@acme.bounce.example", "acme", "spring26");
    assert_names("{tenant}@bounce.example", "acme@bounce.example", "acme", "");
    assert_names("b-{}@{tenant}", "b-1@acme.example", "acme.example", "");
    assert_names("{campaign}-{tenant}-{}@b.example", "c1-t1-x-y@b.example", "t1", "c1");
}

static void sender_that_does_not_fit_names_nobody(void **state)
{
    (void)state;
    assert_names("b+{campaign}@{tenant}.b.example", "b+c@t.b.example.org", "", "");
    assert_names("b+{campaign}@{tenant}.b.example", "b+@t.b.example", "", "");
    assert_names("b+{campaign}@{tenant}.b.example", "x", "", "");
    assert_names("b+{campaign}@{tenant}.b.example", "", "", "");
    assert_names("b+{campaign}", "b+", "", "");
}

static void template_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    assert_non_null(sender_template_check(SPAN("b+{campaign@x")));
    assert_non_null(sender_template_check(SPAN("b+{job}@x")));
    assert_non_null(sender_template_check(SPAN("{tenant}{campaign}@x")));
    assert_non_null(sender_template_check(SPAN("b@x")));
    assert_non_null(sender_template_check(SPAN("{}@x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_take_what_stands_in_their_place),
        cmocka_unit_test(sender_that_does_not_fit_names_nobody),
        cmocka_unit_test(template_that_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
