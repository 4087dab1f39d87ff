/* scan.h, against a loop, at every place and length around what is looked at together. */
#include "cmocka_all.h"
#include "common/scan.h"

#include <string.h>

static void finds_the_first(void **state)
{
    (void)state;
    static const uint8_t breaks[] = {'\r', '\n'};
    uint8_t data[80];
    for (size_t from = 0; from < 17; from++)
        for (size_t to = from; to <= sizeof data; to++) {
            memset(data, 'x', sizeof data);
            data[sizeof data - 1] = '\n'; /* behind the end it does not count */
            assert_ptr_equal(sg_scan_line_break(data + from, data + to - (to == sizeof data)),
                             data + to - (to == sizeof data));
            for (size_t at = from; at < to; at++) {
                memset(data, 0x8d, sizeof data); /* CR but for a bit */
                data[at] = breaks[at % 2];
                data[sizeof data - 1] = '\r';
                assert_ptr_equal(sg_scan_line_break(data + from, data + to), data + at);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
