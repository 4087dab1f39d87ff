/*
 * Where the records stand that the feed would never have taken: in the file `set-aside`, a line
 * each with the segment's number and the offset of the frame, so that they can be tried once more.
 */
#include "journal/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char name[] = "set-aside", fresh[] = "set-aside.new";

static FILE *list_open(int dir_fd, const char *file, int flags, const char *mode,
                       struct sg_error *err)
{
    int fd = openat(dir_fd, file, flags | O_CLOEXEC, 0600);
    FILE *list = fd < 0 ? NULL : fdopen(fd, mode);
    if (list)
        return list;
    sg_fail_errno(err, SG_E_JOURNAL, "cannot open %s", file);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Writes them behind what is there, each in a line of its own whatever a crash has left, and is
 * done when they are on disk. */
static bool list_end(FILE *list, const char *file, const struct journal_place *places, size_t count,
                     struct sg_error *err)
{
    for (size_t i = 0; i < count; i++)
        fprintf(list, "\n%" PRIu64 " %" PRIu64 "\n", places[i].number, places[i].offset);
    bool ok = fflush(list) == 0 && !ferror(list) && fsync(fileno(list)) == 0;
    if (!ok)
        sg_fail_errno(err, SG_E_JOURNAL, "cannot write %s", file);
    fclose(list);
    return ok;
}

bool journal_aside_add(int dir_fd, const struct journal_place *places, size_t count,
                       struct sg_error *err)
{
    FILE *list = list_open(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, "a", err);
    if (!list || !list_end(list, name, places, count, err))
        return false;
    return fsync(dir_fd) == 0 || sg_fail_errno(err, SG_E_JOURNAL, "cannot sync the journal");
}

bool journal_aside_write(int dir_fd, const struct journal_place *places, size_t count,
                         struct sg_error *err)
{
    FILE *list = list_open(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC, "w", err);
    return list && list_end(list, fresh, places, count, err) &&
           (renameat(dir_fd, fresh, dir_fd, name) == 0 ||
            sg_fail_errno(err, SG_E_JOURNAL, "cannot rename %s", fresh));
}

int journal_place_compare(const void *a, const void *b)
{
    const struct journal_place *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* In the order of the journal, and each once: a crash repeats some. */
static size_t places_sort(struct journal_place *places, size_t count)
{
    size_t n = 0;
    if (count)
        qsort(places, count, sizeof *places, journal_place_compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || journal_place_compare(&places[n - 1], &places[i]) != 0)
            places[n++] = places[i];
    return n;
}

/* A line that is none was cut short by a crash, before its record was passed over. */
bool journal_aside_read(int dir_fd, struct journal_place **places_r, size_t *count_r,
                        struct sg_error *err)
{
    struct journal_place *places = NULL, place;
    size_t count = 0, room = 0;
    char *line = NULL, end;
    *places_r = NULL;
    *count_r = 0;
    if (faccessat(dir_fd, name, F_OK, 0) != 0 && errno == ENOENT)
        return true;
    FILE *list = list_open(dir_fd, name, O_RDONLY, "r", err);
    if (!list)
        return false;
    while (getline(&line, &room, list) > 0) {
        if (sscanf(line, "%" SCNu64 " %" SCNu64 "%c", &place.number, &place.offset, &end) != 3 ||
            end != '\n')
            continue;
        struct journal_place *more = realloc(places, (count + 1) * sizeof *places);
        if (!more)
            abort();
        places = more;
        places[count++] = place;
    }
    bool ok = !ferror(list) || sg_fail_errno(err, SG_E_JOURNAL, "cannot read %s", name);
    fclose(list);
    free(line);
    if (!ok) {
        free(places);
        return false;
    }
    *places_r = places;
    *count_r = places_sort(places, count);
    return true;
}
