/* tests/test_json_shapes.c - a text of a known shape is read as json_read() reads it; of all else
 * nothing is known.
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

#include "tests/fuzz/same_decoding.h"

static struct experience experience;

static int setup(void **state)
{
    (void)state;
    experience_begin(&experience);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    experience_end(&experience);
    return 0;
}

/* Reads it both ways, which must agree, and learns it if it was unknown: was it known? */
static bool is_known(struct span text)
{
    const uint64_t before = experience.known;
    const struct span copy = copy_of(text);
    experience_text(&experience, copy);
    free((void *)(uintptr_t)copy.data);
    return experience.known > before;
}

static bool is_known_text(const char *text)
{
    return is_known(span_of(text));
}

static void a_text_with_other_values_is_known(void **state)
{
    (void)state;
    assert_false(is_known_text("{\"a\":\"x\",\"b\":1,\"c\":[\"y\",null,true]}"));
    assert_true(is_known_text("{\"a\":\"x\",\"b\":1,\"c\":[\"y\",null,true]}"));
    assert_true(is_known_text("{\"a\":\"\",\"b\":0,\"c\":[\"\xc3\xa4\",null,true]}"));
    assert_true(is_known_text("{\"a\":\"longer than a block of sixteen bytes, by far\","
                              "\"b\":999999999999999999,\"c\":[\"}\",null,true]}"));
    assert_true(is_known_text("{\"a\":\"\xe2\x82\xac then sixteen plain bytes \xf0\x9f\x98\x80\","
                              "\"b\":2,\"c\":[\"\",null,true]}"));
}

static void a_text_of_another_shape_is_unknown(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {
        "{\"a\":\"x\",\"b\":1}",
        "{\"a\":\"x\",\"b\":1,\"c\":[\"y\"]}",
        "{\"a\":\"x\",\"b\":1,\"c\":[\"y\",null,false]}",
        "{\"a\":null,\"b\":1,\"c\":[\"y\",null,true]}",
        "{\"a\":\"x\",\"b\":\"1\",\"c\":[\"y\",null,true]}",
        "{\"a\":\"x\", \"b\":1,\"c\":[\"y\",null,true]}",
        "{\"a\":\"x\",\"B\":1,\"c\":[\"y\",null,true]}",
    };
    (void)is_known_text("{\"a\":\"x\",\"b\":1,\"c\":[\"y\",null,true]}");
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        assert_false(is_known_text(OTHERS[i]));
        assert_true(is_known_text(OTHERS[i]));
    }
}

static void values_that_are_not_simple_are_unknown(void **state)
{
    (void)state;
    static const struct span ODD[] = {
        {"{\"a\":\"\\n\",\"b\":1}", 16},
        {"{\"a\":\"\n\",\"b\":1}", 15},
        {"{\"a\":\"\x00\",\"b\":1}", 15},
        {"{\"a\":\"\x1f\",\"b\":1}", 15},
        {"{\"a\":\"\xff\",\"b\":1}", 15},
        {"{\"a\":\"\xc3\",\"b\":1}", 15},
        {"{\"a\":\"\xed\xa0\x80\",\"b\":1}", 17},
        {"{\"a\":\"sixteen plain bytes, then \xc0\x80\",\"b\":1}", 42},
        {"{\"a\":\"sixteen plain bytes, then \\n\",\"b\":1}", 42},
        {"{\"a\":\"sixteen plain bytes, then \n\",\"b\":1}", 41},
        {"{\"a\":\"x\",\"b\":01}", 16},
        {"{\"a\":\"x\",\"b\":00}", 16},
        {"{\"a\":\"x\",\"b\":-1}", 16},
        {"{\"a\":\"x\",\"b\":-0}", 16},
        {"{\"a\":\"x\",\"b\":+1}", 16},
        {"{\"a\":\"x\",\"b\":1.0}", 17},
        {"{\"a\":\"x\",\"b\":1e1}", 17},
        {"{\"a\":\"x\",\"b\":}", 14},
        {"{\"a\":\"x\",\"b\":9999999999999999999}", 33},
        {"{\"a\":\"x\",\"b\":99999999999999999999}", 34},
        {"{\"a\":\"x\",\"b\":1}}", 16},
        {"{\"a\":\"x\",\"b\":1}\n", 16},
        {"{\"a\":\"x\",\"b\":1,}", 16},
        {"{\"a\":\"x\"\",\"b\":1}", 16},
    };
    for (size_t i = 0; i < sizeof(ODD) / sizeof(ODD[0]); i++) {
        (void)is_known_text("{\"a\":\"x\",\"b\":1}");
        assert_false(is_known(ODD[i]));
        assert_true(is_known_text("{\"a\":\"y\",\"b\":2}"));
    }
}

/* A number that is a part of the literal: it is known if it is the same. */
static void other_numbers_must_be_the_same(void **state)
{
    (void)state;
    assert_false(is_known_text("{\"a\":-1,\"b\":1e5,\"c\":9999999999999999999,\"d\":\"x\"}"));
    assert_true(is_known_text("{\"a\":-1,\"b\":1e5,\"c\":9999999999999999999,\"d\":\"y\"}"));
    assert_false(is_known_text("{\"a\":-2,\"b\":1e5,\"c\":9999999999999999999,\"d\":\"y\"}"));
    assert_false(is_known_text("{\"a\":-1,\"b\":1e6,\"c\":9999999999999999999,\"d\":\"y\"}"));
}

/* That they round as json_read() does, is_known() sees. */
static void digits_with_a_dot_are_known_as_long_as_a_double_holds_them_all(void **state)
{
    (void)state;
    static const char *const KNOWN[] = {
        "0.0", "0.1", "1795255202.153125",   "9007199254740.991", "9.007199254740992",
        "0.3", "2.5", "0.00000000000000001", "123456789012345.6",
    };
    static const char *const UNKNOWN[] = {
        "1",
        "01.5",
        "00.5",
        "1.",
        ".5",
        "-1.5",
        "1.5e3",
        "1.e3",
        "1..5",
        "1.5.5",
        "1.5E3",
        "9007199254740.993",
        "1795255500.40466761",
        "0.000000000000000001",
    };
    char text[64];
    (void)is_known_text("{\"a\":1.5,\"b\":\"x\"}");
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        (void)snprintf(text, sizeof(text), "{\"a\":%s,\"b\":\"y\"}", KNOWN[i]);
        assert_true(is_known_text(text));
    }
    for (size_t i = 0; i < sizeof(UNKNOWN) / sizeof(UNKNOWN[0]); i++) {
        (void)snprintf(text, sizeof(text), "{\"a\":%s,\"b\":\"y\"}", UNKNOWN[i]);
        assert_false(is_known_text(text));
    }
}

/* A clock's seconds are whole now and then. */
static void a_number_may_have_a_dot_in_one_text_and_none_in_another(void **state)
{
    (void)state;
    assert_false(is_known_text("{\"a\":1,\"b\":2}"));
    assert_false(is_known_text("{\"a\":1.5,\"b\":2}"));
    assert_true(is_known_text("{\"a\":2,\"b\":3}"));
    assert_true(is_known_text("{\"a\":2.5,\"b\":3}"));
    assert_true(is_known_text("{\"a\":0,\"b\":0}"));
}

static void escaped_keys_and_values_are_learned_from(void **state)
{
    (void)state;
    assert_false(is_known_text("{\"\\u0061\\\"\":\"\\\\\",\"\":\"\\\"\"}"));
    assert_true(is_known_text("{\"\\u0061\\\"\":\"x\",\"\":\"y\"}"));
    assert_false(is_known_text("{\"a\\\"\":\"x\",\"\":\"y\"}"));
}

static void no_part_of_a_known_text_is_known(void **state)
{
    (void)state;
    const struct span text =
        SPAN("{\"type\":\"Bounce\",\"response\":{\"code\":550,\"content\":\"no "
             "such user here, and there never was one\"},\"n\":12345}");
    (void)is_known(text);
    for (size_t size = 1; size < text.size; size++) {
        assert_false(is_known((struct span){text.data, size}));
    }
    assert_true(is_known(text));
}

static void only_objects_of_moderate_size_are_learned(void **state)
{
    (void)state;
    char text[20 * 1024];
    assert_false(is_known_text("[\"a\"]"));
    assert_false(is_known_text("[\"a\"]"));
    const size_t size = (size_t)snprintf(text, sizeof(text), "{\"a\":\"%017000d\"}", 0);
    assert_false(is_known((struct span){text, size}));
    assert_false(is_known((struct span){text, size}));
    struct writer many = writer_init(text, sizeof(text));
    put_bytes(&many, SPAN("{\"a\":[0"));
    for (int i = 0; i < 200; i++) {
        put_bytes(&many, SPAN(",1"));
    }
    put_bytes(&many, SPAN("]}"));
    assert_false(is_known(writer_span(&many)));
    assert_false(is_known(writer_span(&many)));
}

/* A program with ever new keys: the others are still read rightly, and in time learned again. */
static void used_up_room_is_given_back_in_time(void **state)
{
    (void)state;
    const char *const usual = "{\"usual\":\"x\"}";
    char text[4096];
    for (int i = 0; i < 3000; i++) {
        const size_t size =
            (size_t)snprintf(text, sizeof(text), "{\"%02000d%d\":\"x\",\"b\":{\"c\":%d}}", 0, i, i);
        (void)is_known((struct span){text, size});
    }
    assert_false(is_known_text(usual));
    assert_false(is_known_text(usual));
    int tries = 0;
    while (!is_known_text(usual)) {
        assert_true(tries++ < 100000);
    }
    assert_true(is_known_text(usual));
}

/* When a shape is forgotten and another takes its place, its nodes are not where they were. */
static void what_was_picked_of_a_shape_is_forgotten_with_it(void **state)
{
    (void)state;
    static struct told told;
    const struct format *format = format_at(0);
    char text[256];
    for (int i = 0; i < JSON_SHAPES_MAX; i++) {
        const size_t size = (size_t)snprintf(
            text, sizeof(text),
            "{\"type\":\"Bounce\",\"recipient\":\"a@b.example\",\"timestamp\":1,\"%d\":1}", i);
        experience_record(&experience, format, (struct span){text, size});
        experience_record(&experience, format, (struct span){text, size});
    }
    const struct span other =
        SPAN("{\"x\":1,\"timestamp\":2,\"recipient\":\"c@d.example\",\"type\":\"Delivery\"}");
    for (int i = 0; i < 70000; i++) {
        tell(experience.decoder, format, other, &told);
    }
    experience_record(&experience, format, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_with_other_values_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_of_another_shape_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(values_that_are_not_simple_are_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(other_numbers_must_be_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(
            digits_with_a_dot_are_known_as_long_as_a_double_holds_them_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_may_have_a_dot_in_one_text_and_none_in_another,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(escaped_keys_and_values_are_learned_from, setup, teardown),
        cmocka_unit_test_setup_teardown(no_part_of_a_known_text_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(only_objects_of_moderate_size_are_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(used_up_room_is_given_back_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_picked_of_a_shape_is_forgotten_with_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
