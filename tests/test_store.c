/* tests/test_store.c - the store against a plain array, under a limit, and its scan.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/store.h"

#include "tests/check.h"

enum { KEYS = 3000, STEPS = 200000 };

struct twin {
    size_t size; /* 0: not there */
    unsigned char bytes[RECORD_PACKED_SIZE_MAX];
};

static struct key key_number(uint64_t n)
{
    /* few home slots, so that runs are long and removal shifts */
    return (struct key){.address_hash = n % 7,
                        .scope_hash = n * UINT64_C(0x9e3779b97f4a7c15) % 512 + (n << 32)};
}

static void fill(struct chance *chance, struct twin *twin)
{
    twin->size =
        1 + chance_below(chance, chance_below(chance, 4) == 0 ? RECORD_PACKED_SIZE_MAX : 60);
    for (size_t i = 0; i < twin->size; i++) {
        twin->bytes[i] = (unsigned char)chance_next(chance);
    }
}

static void assert_same(const struct store *store, const struct twin *twins)
{
    uint64_t count = 0;
    for (uint64_t n = 0; n < KEYS; n++) {
        struct span packed;
        const bool found = store_find(store, key_number(n), &packed);
        assert_int_equal(found, twins[n].size > 0);
        if (found) {
            assert_int_equal(packed.size, twins[n].size);
            assert_memory_equal(packed.data, twins[n].bytes, packed.size);
            count++;
        }
    }
    assert_int_equal(store_count(store), count);
}

static void random_puts_and_removes_are_what_a_plain_array_says(void **state)
{
    (void)state;
    struct chance chance = chance_init("store");
    struct memory_budget budget = {0};
    struct twin *twins = calloc(KEYS, sizeof(*twins));
    struct store *store;
    assert_int_equal(store_create(&budget, &store), OK);
    for (int i = 0; i < STEPS; i++) {
        const uint64_t n = chance_below(&chance, KEYS);
        if (chance_below(&chance, 3) == 0) {
            store_remove(store, key_number(n));
            twins[n].size = 0;
        } else {
            fill(&chance, &twins[n]);
            const struct span packed = {(const char *)twins[n].bytes, twins[n].size};
            assert_int_equal(store_put(store, key_number(n), packed), OK);
        }
        if (i % 20000 == 0) {
            assert_same(store, twins);
        }
    }
    assert_same(store, twins);
    store_destroy(&store);
    assert_null(store);
    assert_int_equal(budget.used, 0);
    free(twins);
}

static void at_the_limit_a_put_changes_nothing(void **state)
{
    (void)state;
    struct memory_budget budget = {.limit = 1024 * 1024};
    struct store *store;
    const char record[] = "twelve bytes";
    const struct span packed = {record, 12};
    assert_int_equal(store_create(&budget, &store), OK);
    uint64_t n = 0;
    while (store_put(store, (struct key){n, n}, packed) == OK) {
        n++;
        assert_true(n < 1000000);
    }
    assert_int_equal(store_count(store), n);
    assert_true(budget.used <= budget.limit);
    struct span found;
    assert_false(store_find(store, (struct key){n, n}, &found));
    for (uint64_t i = 0; i < n; i++) {
        assert_true(store_find(store, (struct key){i, i}, &found));
    }
    /* what is there may still be replaced by something as long */
    assert_int_equal(store_put(store, (struct key){0, 0}, SPAN("TWELVE BYTES")), OK);
    store_destroy(&store);
}

static void count_visit(void *context, struct key key, struct span packed)
{
    unsigned char *seen = context;
    assert_int_equal(packed.size, 8);
    seen[key.scope_hash]++;
}

static void a_scan_in_small_steps_hands_out_each_record_once(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct memory_budget budget = {0};
    struct store *store;
    unsigned char *seen = calloc(COUNT, 1);
    assert_int_equal(store_create(&budget, &store), OK);
    for (uint64_t n = 0; n < COUNT; n++) {
        assert_int_equal(store_put(store, (struct key){n * 77, n}, SPAN("8 bytes.")), OK);
    }
    uint64_t cursor = 0;
    size_t steps = 0;
    do {
        store_scan(store, &cursor, 64, seen, count_visit);
        steps++;
    } while (cursor != 0);
    assert_true(steps > COUNT / 64);
    for (size_t n = 0; n < COUNT; n++) {
        assert_int_equal(seen[n], 1);
    }
    store_destroy(&store);
    free(seen);
}

static void a_mark_is_told_once_until_it_is_taken_off(void **state)
{
    (void)state;
    struct memory_budget budget = {0};
    struct store *store;
    const struct key key = {1, 2};
    assert_int_equal(store_create(&budget, &store), OK);
    assert_int_equal(store_put(store, key, SPAN("x")), OK);
    assert_false(store_mark(store, key));
    assert_true(store_mark(store, key));
    store_unmark(store, key);
    assert_false(store_mark(store, key));
    store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_puts_and_removes_are_what_a_plain_array_says),
        cmocka_unit_test(at_the_limit_a_put_changes_nothing),
        cmocka_unit_test(a_scan_in_small_steps_hands_out_each_record_once),
        cmocka_unit_test(a_mark_is_told_once_until_it_is_taken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
