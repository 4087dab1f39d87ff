/* cache.h: bounds, one load for all, what an invalidation reaches, and never a value older than it.
 */
#include "common/cache.h"

#include "common/clock.h"

#include "cmocka_all.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREVER 3600000

static atomic_int loads, freed;

static void value_free(void *value)
{
    atomic_fetch_add(&freed, 1);
    free(value);
}

static struct sg_cache *cache_new(size_t entries, size_t bytes, int64_t lifetime_ms)
{
    const struct sg_cache_options options = {entries, bytes, lifetime_ms, value_free};
    struct sg_cache *c = sg_cache_new(&options);
    sg_cache_open(c, true);
    atomic_store(&loads, 0);
    atomic_store(&freed, 0);
    return c;
}

/* Brings the text it is given, and depends on the mark of that text. */
static bool load_text(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    (void)err;
    atomic_fetch_add(&loads, 1);
    value_r->value = strdup(arg);
    value_r->bytes = 100;
    value_r->marks[value_r->mark_count++] = sg_cache_mark_of("text", sg_bytes_str(arg));
    return true;
}

static bool load_nothing(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    (void)arg, (void)err;
    atomic_fetch_add(&loads, 1);
    value_r->value = NULL;
    return true;
}

static bool load_fails(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    (void)arg, (void)value_r;
    atomic_fetch_add(&loads, 1);
    return sg_fail(err, SG_E_DB_UNAVAILABLE, "away");
}

/* Asks once and says whether it was loaded. */
static bool was_loaded(struct sg_cache *c, const char *key)
{
    struct sg_cache_ref ref;
    int before = atomic_load(&loads);
    assert_true(sg_cache_get(c, sg_bytes_str(key), load_text, (void *)(uintptr_t)key, &ref, NULL));
    assert_string_equal(ref.value, key);
    sg_cache_release(c, &ref);
    return atomic_load(&loads) > before;
}

static void kept_and_released(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    struct sg_cache_state s;
    struct sg_cache_ref ref;
    assert_true(was_loaded(c, "a"));
    assert_false(was_loaded(c, "a"));
    for (int i = 0; i < 2; i++) {
        assert_true(sg_cache_get(c, sg_bytes_str("none"), load_nothing, NULL, &ref, NULL));
        assert_null(ref.value);
        sg_cache_release(c, &ref);
    }
    assert_int_equal(atomic_load(&loads), 2); /* that there is none is remembered */
    sg_cache_state(c, &s);
    assert_int_equal(s.hits, 2);
    assert_int_equal(s.misses, 2);
    assert_int_equal(s.entries, 2);
    sg_cache_free(&c);
    assert_int_equal(atomic_load(&freed), 2);
}

static void least_used_goes_at_the_limit_of_entries(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(3, 100000, FOREVER);
    struct sg_cache_state s;
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    assert_true(was_loaded(c, "c"));
    assert_false(was_loaded(c, "a"));
    assert_true(was_loaded(c, "d")); /* in the place of b */
    assert_false(was_loaded(c, "a"));
    assert_false(was_loaded(c, "c"));
    assert_true(was_loaded(c, "b"));
    sg_cache_state(c, &s);
    assert_int_equal(s.entries, 3);
    assert_int_equal(s.evictions, 2);
    sg_cache_free(&c);
}

static void bytes_are_bounded_to_the_byte(void **state)
{
    (void)state;
    struct sg_cache_state s;
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    assert_true(was_loaded(c, "a"));
    sg_cache_state(c, &s);
    size_t one = s.bytes;
    assert_true(one > 100);
    sg_cache_free(&c);
    c = cache_new(10, 2 * one, FOREVER);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    assert_false(was_loaded(c, "a"));
    sg_cache_free(&c);
    c = cache_new(10, 2 * one - 1, FOREVER);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    assert_true(was_loaded(c, "a"));
    sg_cache_free(&c);
    c = cache_new(10, one - 1, FOREVER); /* one that fits in nowhere is given out all the same */
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "a"));
    sg_cache_state(c, &s);
    assert_int_equal(s.bytes, 0);
    sg_cache_free(&c);
}

static void who_holds_a_value_keeps_it(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(1, 100000, FOREVER);
    struct sg_cache_ref ref;
    char key[] = "a";
    assert_true(sg_cache_get(c, sg_bytes_str("a"), load_text, key, &ref, NULL));
    assert_true(was_loaded(c, "b"));
    sg_cache_flush(c);
    assert_int_equal(atomic_load(&freed), 1); /* b */
    assert_string_equal(ref.value, "a");
    sg_cache_release(c, &ref);
    sg_cache_release(c, &ref);
    assert_int_equal(atomic_load(&freed), 2);
    sg_cache_free(&c);
}

static void lifetime(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(10, 100000, 50);
    int64_t began = sg_clock_monotonic_ms();
    assert_true(was_loaded(c, "a"));
    while (!was_loaded(c, "a"))
        sched_yield();
    assert_true(sg_clock_monotonic_ms() - began >= 50);
    sg_cache_free(&c);
    c = cache_new(10, 100000, 0);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "a"));
    sg_cache_free(&c);
    c = cache_new(0, 100000, FOREVER);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "a"));
    sg_cache_free(&c);
}

/* What is confirmed lives on, and what is not does not; nothing that was invalidated comes back. */
static void lifetime_counts_from_the_confirmation(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(10, 100000, 60000);
    int64_t now = sg_clock_monotonic_ms();
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    sg_cache_confirm(c, now - 70000); /* says nothing of what was loaded since */
    assert_false(was_loaded(c, "a"));
    sg_cache_free(&c);
    c = cache_new(10, 100000, 30);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    int64_t until = sg_clock_monotonic_ms() + 60;
    while (sg_clock_monotonic_ms() < until)
        sched_yield();
    sg_cache_mark(c, sg_cache_mark_of("text", sg_bytes_str("b")));
    sg_cache_confirm(c, sg_clock_monotonic_ms() + FOREVER);
    assert_false(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    sg_cache_flush(c);
    assert_true(was_loaded(c, "a"));
    sg_cache_confirm(c, sg_clock_monotonic_ms() - FOREVER);
    while (!was_loaded(c, "a"))
        sched_yield();
    sg_cache_free(&c);
}

static void invalidated_by_mark_and_flush(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    sg_cache_mark(c, sg_cache_mark_of("text", sg_bytes_str("a")));
    assert_true(was_loaded(c, "a"));
    assert_false(was_loaded(c, "b"));
    sg_cache_flush(c);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "b"));
    sg_cache_open(c, false);
    assert_true(was_loaded(c, "a"));
    assert_true(was_loaded(c, "a"));
    sg_cache_open(c, true);
    assert_false(was_loaded(c, "a"));
    sg_cache_free(&c);
}

static void errors_are_not_kept(void **state)
{
    (void)state;
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    struct sg_cache_ref ref;
    struct sg_error err = {0};
    for (int i = 1; i <= 2; i++) {
        assert_false(sg_cache_get(c, sg_bytes_str("a"), load_fails, NULL, &ref, &err));
        assert_int_equal(err.code, SG_E_DB_UNAVAILABLE);
        assert_int_equal(atomic_load(&loads), i);
    }
    sg_cache_free(&c);
}

/* A load that stands still until it is let go. */
struct gate {
    struct sg_cache *cache;
    atomic_bool entered, go;
    bool fails;
    const char *text;
};

static bool load_gated(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    struct gate *g = arg;
    atomic_store(&g->entered, true);
    while (!atomic_load(&g->go))
        sched_yield();
    return g->fails ? load_fails(NULL, value_r, err)
                    : load_text((void *)(uintptr_t)g->text, value_r, err);
}

static void *ask_gated(void *arg)
{
    struct gate *g = arg;
    struct sg_cache_ref ref;
    struct sg_error err = {0};
    bool ok = sg_cache_get(g->cache, sg_bytes_str("gated"), load_gated, g, &ref, &err);
    bool good =
        g->fails ? !ok && err.code == SG_E_DB_UNAVAILABLE : ok && strcmp(ref.value, g->text) == 0;
    sg_cache_release(g->cache, &ref);
    return good ? g : NULL;
}

static void stampede(bool fails)
{
    enum { ASKING = 8 };
    pthread_t threads[ASKING];
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    struct gate gate = {.cache = c, .fails = fails, .text = "x"};
    struct sg_cache_state s = {0};
    for (int i = 0; i < ASKING; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_gated, &gate), 0);
    while (s.waits < ASKING - 1) {
        sched_yield();
        sg_cache_state(c, &s);
    }
    atomic_store(&gate.go, true);
    for (int i = 0; i < ASKING; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(atomic_load(&loads), 1);
    sg_cache_free(&c);
}

static void one_load_for_all(void **state)
{
    (void)state;
    stampede(false);
    stampede(true);
}

/* What is being loaded may be what was there before the change. */
static void invalidated_while_it_is_loaded(void **state)
{
    (void)state;
    pthread_t thread;
    void *good;
    struct sg_cache *c = cache_new(10, 100000, FOREVER);
    struct gate old = {.cache = c, .text = "old"}, new = {.cache = c, .text = "new", .go = true};
    assert_int_equal(pthread_create(&thread, NULL, ask_gated, &old), 0);
    while (!atomic_load(&old.entered))
        sched_yield();
    sg_cache_mark(c, sg_cache_mark_of("text", sg_bytes_str("old")));
    assert_non_null(ask_gated(&new)); /* does not wait for the old one */
    atomic_store(&old.go, true);
    pthread_join(thread, &good);
    assert_non_null(good);
    assert_non_null(ask_gated(&new)); /* … which does not take its place */
    assert_int_equal(atomic_load(&loads), 2);
    sg_cache_free(&c);
}

/* A writer counts a number up, invalidates, and only then says so: whoever has heard it never gets
 * a number from before. */
#define KEYS 7
struct model {
    struct sg_cache *cache;
    atomic_long truth[KEYS], said[KEYS];
    atomic_bool over, wrong;
};
struct asked {
    struct model *model;
    int key;
};

static bool load_number(void *arg, struct sg_cache_value *value_r, struct sg_error *err)
{
    (void)err;
    const struct asked *a = arg;
    long *n = malloc(sizeof *n);
    *n = atomic_load(&a->model->truth[a->key]);
    sched_yield();
    *value_r = (struct sg_cache_value){
        .value = n, .bytes = 50, .marks = {(uint32_t)a->key, 4711}, .mark_count = 2};
    return true;
}

static void *reader(void *arg)
{
    struct model *m = arg;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    while (!atomic_load(&m->over)) {
        struct asked a = {m, rand_r(&seed) % KEYS};
        char key = (char)a.key;
        struct sg_cache_ref ref;
        long before = atomic_load(&m->said[a.key]);
        if (!sg_cache_get(m->cache, sg_bytes_of(&key, 1), load_number, &a, &ref, NULL) ||
            *(long *)ref.value < before)
            atomic_store(&m->wrong, true);
        sg_cache_release(m->cache, &ref);
    }
    return NULL;
}

static void *writer(void *arg)
{
    struct model *m = arg;
    for (int i = 0; i < 3000; i++) {
        int key = i % KEYS;
        long next = atomic_load(&m->truth[key]) + 1;
        if (i % 100 == 0)
            sg_cache_flush(m->cache);
        sg_cache_open(m->cache, i % 50 != 0);
        atomic_store(&m->truth[key], next);
        sg_cache_mark(m->cache, i % 3 ? (uint32_t)key : 4711);
        atomic_store(&m->said[key], next);
        sched_yield();
    }
    return NULL;
}

static void never_older_than_what_was_invalidated(void **state)
{
    (void)state;
    pthread_t readers[4], one;
    struct model m = {.cache = cache_new(4, 100000, FOREVER)};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, reader, &m), 0);
    assert_int_equal(pthread_create(&one, NULL, writer, &m), 0);
    pthread_join(one, NULL);
    atomic_store(&m.over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(readers[i], NULL);
    assert_false(atomic_load(&m.wrong));
    sg_cache_free(&m.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_and_released),
        cmocka_unit_test(least_used_goes_at_the_limit_of_entries),
        cmocka_unit_test(bytes_are_bounded_to_the_byte),
        cmocka_unit_test(who_holds_a_value_keeps_it),
        cmocka_unit_test(lifetime),
        cmocka_unit_test(lifetime_counts_from_the_confirmation),
        cmocka_unit_test(invalidated_by_mark_and_flush),
        cmocka_unit_test(errors_are_not_kept),
        cmocka_unit_test(one_load_for_all),
        cmocka_unit_test(invalidated_while_it_is_loaded),
        cmocka_unit_test(never_older_than_what_was_invalidated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
