/*
 * REQ-119, REQ-120: how the platform stands to each requirement: by its software, by what the
 * database shows, and by what the provider attests. What is not shown is said, never left out.
 */
#include "reporting/build.h"
#include "reporting/requirements.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct sg_build_label evidence_columns[] = {
    {"requirement", "No.", "integer"}, {"what", "What was looked at", "text"},
    {"good", "Good", "integer"},       {"of", "of", "integer"},
    {"met", "Met", "boolean"},
};

static const struct sg_build_label attestation_columns[] = {
    {"requirement", "No.", "integer"},
    {"words", "What is attested", "text"},
    {"by", "By", "text"},
    {"since", "Since", "date"},
    {"until", "Until", "date"},
    {"valid", "Valid", "boolean"},
};

static const struct sg_build_label requirement_columns[] = {
    {"requirement", "No.", "integer"}, {"level", "Level", "text"},
    {"what", "What it takes", "text"}, {"software", "Software", "text"},
    {"evidence", "Evidence", "text"},  {"attested", "Attested", "text"},
    {"standing", "Standing", "text"},
};

static const struct sg_build_label gap_columns[] = {
    {"requirement", "No.", "integer"},
    {"what", "What it takes", "text"},
    {"why", "Why it is not shown", "text"},
};

/* How a requirement stands: the best that can be said without hiding what speaks against it. */
struct standing {
    const char *name;
    bool shown;
};
static const struct standing not_met = {"not met", false}, attested = {"attested", true},
                             shown = {"shown", true}, in_part = {"in part", false},
                             documented = {"documented", true}, open = {"open", false};

struct evidence {
    int met, failed;     /* checks that had something to look at */
    const char *failing; /* the first that is not met */
};

static struct evidence evidence_of(const json_t *rows, int number)
{
    struct evidence e = {0};
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (json_integer_value(json_array_get(row, 0)) != number)
            continue;
        const json_t *met = json_array_get(row, 4);
        e.met += json_is_true(met);
        e.failed += json_is_false(met);
        if (json_is_false(met) && !e.failing)
            e.failing = json_string_value(json_array_get(row, 1));
    }
    return e;
}

/* Until when it is attested; "" where it is not. */
static const char *attested_until(const json_t *rows, int number)
{
    const char *until = "";
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *day = json_string_value(json_array_get(row, 4));
        if (json_integer_value(json_array_get(row, 0)) == number &&
            json_is_true(json_array_get(row, 5)) && day && strcmp(day, until) > 0)
            until = day;
    }
    return until;
}

static const struct standing *stands(const struct sg_requirement *r, const struct evidence *e,
                                     const char *until)
{
    if (e->failed > 0)
        return &not_met;
    if (*until)
        return &attested;
    if (strcmp(r->state, "works") == 0 || strcmp(r->state, "tested, code not marked") == 0)
        return &shown;
    if (strcmp(r->state, "works in part") == 0)
        return &in_part;
    if (strcmp(r->state, "documented") == 0)
        return &documented;
    /* What the database shows, though no test of ours bears the mark. */
    return e->met > 0 ? &in_part : &open;
}

static const char *why(struct sg_build *b, const struct sg_requirement *r, const struct evidence *e)
{
    if (e->failed > 0)
        return sg_arena_printf(b->arena, "Not met: %s.", e->failing);
    if (*r->missing)
        return sg_arena_printf(b->arena, "In part; missing: %s.", r->missing);
    if (strcmp(r->state, "attested") == 0)
        return "The provider has to attest it, and has not.";
    return sg_arena_printf(b->arena, "Software: %s; nobody attests it.", r->state);
}

struct tally {
    json_t *rows, *gaps;
    int64_t must, must_shown, attested, not_met, all;
};

static void judge(struct sg_build *b, const struct sg_requirement *r, const json_t *evidence,
                  const json_t *attestations, struct tally *t)
{
    struct evidence e = evidence_of(evidence, r->number);
    const char *until = attested_until(attestations, r->number);
    const struct standing *s = stands(r, &e, until);
    bool must = strcmp(r->level, "M") == 0;
    t->all++;
    t->must += must;
    t->must_shown += must && s->shown;
    t->attested += s == &attested;
    t->not_met += s == &not_met;
    json_array_append_new(
        t->rows, json_pack("[i, s, s, s, s, s, s]", r->number, r->level, r->what, r->state,
                           e.met + e.failed
                               ? sg_arena_printf(b->arena, "%d of %d met", e.met, e.met + e.failed)
                               : "",
                           until, s->name));
    if (must && !s->shown)
        json_array_append_new(t->gaps, json_pack("[i, s, s]", r->number, r->what, why(b, r, &e)));
}

static void figures_write(struct sg_build *b, json_t *section, const struct tally *t)
{
    sg_build_figure(section, "requirements", "Requirements in force", json_integer(t->all), "");
    sg_build_figure(section, "must", "that MUST be met", json_integer(t->must), "");
    sg_build_figure(section, "must_shown", "of these, shown or attested",
                    json_integer(t->must_shown), "");
    sg_build_figure(section, "attested", "attested by the provider", json_integer(t->attested), "");
    sg_build_figure(section, "not_met", "against which evidence speaks", json_integer(t->not_met),
                    "");
    sg_build_sentence(b,
                      "%lld of %lld requirements that MUST be met are shown or attested; evidence "
                      "speaks against %lld.",
                      (long long)t->must_shown, (long long)t->must, (long long)t->not_met);
    if (json_array_size(t->gaps) > 0)
        sg_build_missing(b,
                         "%zu requirements that MUST be met are not shown: the table of gaps names "
                         "each, and why.",
                         json_array_size(t->gaps));
}

/* The sections, in the order in which they stand. */
struct sections {
    json_t *standing, *gaps, *evidence, *attestations, *every;
};

static struct sections sections_begin(struct sg_build *b)
{
    struct sections s;
    s.standing = sg_build_section(
        b, "standing", "Standing",
        "A requirement stands as not met where a check speaks against it; else as attested by the "
        "provider, shown by the tests of the software, documented as a procedure, in part, or "
        "open.",
        (const int[]){119, 120, 0});
    s.gaps = sg_build_section(
        b, "gaps", "What is not shown",
        "Requirements at level MUST that are neither shown, documented nor attested.",
        (const int[]){119, 120, 0});
    s.evidence = sg_build_section(
        b, "evidence", "Evidence",
        "Looked up in the database when the report was made: how many of those that there are were "
        "good. Where there are none, nothing was met or missed.",
        (const int[]){119, 0});
    s.attestations = sg_build_section(
        b, "attestations", "Attestations",
        "What the provider states in writing about requirements that no program can show, as "
        "recorded when the report was made. Valid: at the end of the period.",
        (const int[]){120, 0});
    s.every = sg_build_section(b, "every", "Every requirement",
                               "Software: how version " SG_VERSION
                               " stands to it by its own tests. Evidence: checks that were met.",
                               (const int[]){119, 0});
    return s;
}

bool sg_report_compliance(struct sg_build *b, struct sg_error *err)
{
    const json_t *evidence, *attestations;
    struct sections s = sections_begin(b);
    if (!sg_build_table(b, s.evidence, "evidence", "Checks", SG_REPORT_EVIDENCE, evidence_columns,
                        COUNT(evidence_columns), &evidence, err) ||
        !sg_build_table(b, s.attestations, "attestations", "Attestations", SG_REPORT_ATTESTATIONS,
                        attestation_columns, COUNT(attestation_columns), &attestations, err))
        return false;
    struct tally t = {.rows = json_array(), .gaps = json_array()};
    for (size_t i = 0; i < sg_requirement_count; i++)
        if (strcmp(sg_requirements[i].state, "deleted") != 0)
            judge(b, &sg_requirements[i], evidence, attestations, &t);
    figures_write(b, s.standing, &t);
    sg_build_rows(s.gaps, "gaps", "Gaps", gap_columns, COUNT(gap_columns), t.gaps);
    sg_build_rows(s.every, "requirements", "Requirements", requirement_columns,
                  COUNT(requirement_columns), t.rows);
    return true;
}
