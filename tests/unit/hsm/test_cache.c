/* hsm/cache.c: who goes, entries in use, generations, one loader at a time. */
#include "hsm/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

static CK_OBJECT_HANDLE dropped[64];
static size_t dropped_count;

static void drop(void *context, CK_OBJECT_HANDLE handle)
{
    (void)context;
    dropped[dropped_count++ % 64] = handle;
}

static const uint8_t *name_of(unsigned n)
{
    static _Thread_local uint8_t name[SG_CACHE_NAME];
    memset(name, 0, sizeof name);
    memcpy(name, &n, sizeof n);
    return name;
}

static struct sg_entry *get(struct sg_cache *c, unsigned n, unsigned generation,
                            enum sg_cache_found want)
{
    struct sg_entry *e;
    assert_int_equal(sg_cache_get(c, name_of(n), generation, sg_deadline_in(20), NULL, &e), want);
    return e;
}

/* Loads name n with handle n, leaves it unused. */
static void load(struct sg_cache *c, unsigned n, unsigned generation)
{
    struct sg_public_key public = {.rsa = {.n_len = n}};
    struct sg_entry *e = get(c, n, generation, SG_CACHE_LOAD);
    sg_cache_loaded(c, e, n, &public);
    sg_cache_put(c, e, false, NULL);
}

static void hit(struct sg_cache *c, unsigned n, unsigned generation)
{
    struct sg_entry *e = get(c, n, generation, SG_CACHE_HIT);
    assert_int_equal(sg_entry_handle(e), n);
    assert_int_equal(sg_entry_public(e)->rsa.n_len, n);
    sg_cache_put(c, e, false, NULL);
}

static int setup(void **state)
{
    dropped_count = 0;
    *state = sg_cache_new(3, drop);
    return 0;
}

static int teardown(void **state)
{
    struct sg_cache *c = *state;
    sg_cache_free(&c);
    return 0;
}

static void what_is_not_used_again_goes_first(void **state)
{
    struct sg_cache *c = *state;
    load(c, 1, 1);
    load(c, 2, 1);
    load(c, 3, 1);
    hit(c, 1, 1);
    load(c, 4, 1);
    assert_int_equal(dropped_count, 1);
    assert_int_equal(dropped[0], 2);
    hit(c, 1, 1);
    hit(c, 3, 1);
    hit(c, 4, 1);
    load(c, 2, 1);
    assert_int_equal(dropped_count, 2);
    assert_int_equal(dropped[1], 3); /* all were; the hand goes on from where it was */
}

/* An LRU would hold the last three. */
static void what_comes_once_pushes_nothing_out(void **state)
{
    struct sg_cache *c = *state;
    load(c, 1, 1);
    hit(c, 1, 1);
    for (unsigned n = 2; n < 50; n++)
        load(c, n, 1);
    hit(c, 1, 1);
    assert_int_equal(dropped_count, 46);
    for (unsigned i = 0; i < dropped_count; i++)
        assert_int_not_equal(dropped[i], 1);
}

static void what_is_in_use_stays(void **state)
{
    struct sg_cache *c = *state;
    struct sg_entry *used[4];
    struct sg_public_key public = {0};
    for (unsigned n = 1; n <= 4; n++) {
        used[n - 1] = get(c, n, 1, SG_CACHE_LOAD);
        sg_cache_loaded(c, used[n - 1], n, &public);
    }
    assert_int_equal(dropped_count, 0); /* four in use, three fit */
    sg_cache_put(c, used[2], false, NULL);
    assert_int_equal(dropped_count, 1);
    assert_int_equal(dropped[0], 3);
    sg_cache_put(c, used[0], false, NULL);
    sg_cache_put(c, used[1], false, NULL);
    sg_cache_put(c, used[3], false, NULL);
    assert_int_equal(dropped_count, 1);
}

/* Not what is in use, and of the rest what was not used again; the size is what it was. */
static void a_full_token(void **state)
{
    struct sg_cache *c = *state;
    assert_false(sg_cache_evict(c, 1, NULL));
    load(c, 1, 1);
    load(c, 2, 1);
    hit(c, 1, 1);
    struct sg_entry *loading = get(c, 3, 1, SG_CACHE_LOAD);
    assert_true(sg_cache_evict(c, 1, NULL));
    assert_int_equal(dropped_count, 1);
    assert_int_equal(dropped[0], 2);
    assert_true(sg_cache_evict(c, 1, NULL));
    assert_int_equal(dropped_count, 2);
    assert_int_equal(dropped[1], 1);
    assert_false(sg_cache_evict(c, 1, NULL));
    struct sg_public_key public = {.rsa = {.n_len = 3}};
    sg_cache_loaded(c, loading, 3, &public);
    sg_cache_put(c, loading, false, NULL);
    load(c, 4, 1);
    load(c, 5, 1);
    hit(c, 3, 1);
    hit(c, 4, 1);
    hit(c, 5, 1);
    assert_int_equal(dropped_count, 2);
}

static void an_eighth_of_a_full_token(void **state)
{
    (void)state;
    struct sg_cache *c = sg_cache_new(100, drop);
    dropped_count = 0;
    for (unsigned n = 1; n <= 32; n++)
        load(c, n, 1);
    assert_true(sg_cache_evict(c, 1, NULL));
    assert_int_equal(dropped_count, 5);
    sg_cache_free(&c);
}

static void another_generation_is_loaded_anew_and_not_dropped(void **state)
{
    struct sg_cache *c = *state;
    load(c, 1, 1);
    load(c, 2, 1);
    load(c, 1, 2);
    hit(c, 1, 2);
    load(c, 3, 2);
    load(c, 4, 2); /* pushes 2 of generation 1 out */
    load(c, 5, 2); /* pushes 3 out: 1 was used again */
    assert_int_equal(dropped_count, 1);
    assert_int_equal(dropped[0], 3);
    sg_cache_remove(c, name_of(4), 3, NULL);
    assert_int_equal(dropped_count, 1);
}

static void removed_in_use_is_dropped_by_its_last_user(void **state)
{
    struct sg_cache *c = *state;
    load(c, 7, 1);
    struct sg_entry *one = get(c, 7, 1, SG_CACHE_HIT), *two = get(c, 7, 1, SG_CACHE_HIT);
    sg_cache_remove(c, name_of(7), 1, NULL);
    sg_cache_put(c, one, false, NULL);
    assert_int_equal(dropped_count, 0);
    sg_cache_put(c, two, false, NULL);
    assert_int_equal(dropped_count, 1);
    load(c, 7, 1); /* it is not there any more */
    sg_cache_remove(c, name_of(7), 1, NULL);
    assert_int_equal(dropped_count, 2);
    sg_cache_remove(c, name_of(7), 1, NULL);
    assert_int_equal(dropped_count, 2);
}

static void a_stale_handle_is_forgotten(void **state)
{
    struct sg_cache *c = *state;
    load(c, 7, 1);
    struct sg_entry *e = get(c, 7, 1, SG_CACHE_HIT);
    sg_cache_put(c, e, true, NULL);
    assert_int_equal(dropped_count, 0);
    load(c, 7, 1);
}

static void a_failed_load_leaves_nothing(void **state)
{
    struct sg_cache *c = *state;
    struct sg_entry *e = get(c, 7, 1, SG_CACHE_LOAD);
    assert_null(get(c, 7, 1, SG_CACHE_TIMEOUT));
    sg_cache_failed(c, e);
    load(c, 7, 1);
    assert_int_equal(dropped_count, 0);
}

struct crowd {
    struct sg_cache *cache;
    atomic_int loads, wrong;
};

static void *crowd_thread(void *arg)
{
    struct crowd *crowd = arg;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int i = 0; i < 2000; i++) {
        unsigned n = 1 + (unsigned)rand_r(&seed) % 8;
        struct sg_public_key public = {.rsa = {.n_len = n}};
        struct sg_entry *e;
        switch (sg_cache_get(crowd->cache, name_of(n), 1, sg_deadline_in(5000), NULL, &e)) {
        case SG_CACHE_LOAD:
            crowd->loads++;
            if (n == 8 && i % 2) {
                sg_cache_failed(crowd->cache, e);
                continue;
            }
            sg_cache_loaded(crowd->cache, e, n, &public);
            break;
        case SG_CACHE_HIT:
            break;
        case SG_CACHE_TIMEOUT:
            crowd->wrong++;
            continue;
        }
        if (sg_entry_handle(e) != n || sg_entry_public(e)->rsa.n_len != n)
            crowd->wrong++;
        sg_cache_put(crowd->cache, e, n == 7 && i % 16 == 0, NULL);
        if (n == 6 && i % 32 == 0)
            sg_cache_remove(crowd->cache, name_of(n), 1, NULL);
    }
    return NULL;
}

static void threads_agree(void **state)
{
    (void)state;
    pthread_t threads[8];
    struct crowd crowd = {.cache = sg_cache_new(4, NULL)};
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &crowd), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.loads > 8);
    sg_cache_free(&crowd.cache);
}

int main(void)
{
#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_CACHE(what_is_not_used_again_goes_first),
        WITH_CACHE(what_comes_once_pushes_nothing_out),
        WITH_CACHE(what_is_in_use_stays),
        WITH_CACHE(a_full_token),
        cmocka_unit_test(an_eighth_of_a_full_token),
        WITH_CACHE(another_generation_is_loaded_anew_and_not_dropped),
        WITH_CACHE(removed_in_use_is_dropped_by_its_last_user),
        WITH_CACHE(a_stale_handle_is_forgotten),
        WITH_CACHE(a_failed_load_leaves_nothing),
        cmocka_unit_test(threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
