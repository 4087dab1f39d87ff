/* The requirements, and how this version of the software stands to each: docs/conformance.md, which
 * is made from the marks in code and tests, embedded at build (tools/embed-requirements). */
#ifndef SG_REPORTING_REQUIREMENTS_H
#define SG_REPORTING_REQUIREMENTS_H

#include <stddef.h>

struct sg_requirement {
    int number;
    const char *level;   /* M must, S should, Y may; "-" deleted in the source */
    const char *what;    /* it takes */
    const char *state;   /* "works", "works in part", "open", … */
    const char *missing; /* of what works in part */
};
extern const struct sg_requirement sg_requirements[];
extern const size_t sg_requirement_count;

#endif
