/* How a table of rules is walked; and, in test builds, how one rule is switched off. */
#ifndef SG_POLICY_POLICY_INTERNAL_H
#define SG_POLICY_POLICY_INTERNAL_H

#include "policy/policy.h"

#ifdef SG_RULE_SWITCH
#define SG_POLICY_SWITCH(table, name)                                                              \
    int sg_policy_rule_off_##name = -1;                                                            \
    size_t sg_policy_rule_count_##name(void)                                                       \
    {                                                                                              \
        return sizeof table / sizeof table[0];                                                     \
    }                                                                                              \
    const char *sg_policy_rule_name_##name(size_t i)                                               \
    {                                                                                              \
        return table[i].then.rule;                                                                 \
    }
#define SG_POLICY_IS_OFF(name, i) ((int)(i) == sg_policy_rule_off_##name)
#else
#define SG_POLICY_SWITCH(table, name)
#define SG_POLICY_IS_OFF(name, i) false
#endif

/* The last rule of a table applies always, so that there is a plan for all facts. */
#define SG_POLICY_FIRST(function, facts_type, table, name)                                         \
    SG_POLICY_FIRST_OF(struct sg_plan, function, facts_type, table, name)
#define SG_POLICY_FIRST_OF(plan_type, function, facts_type, table, name)                           \
    SG_POLICY_SWITCH(table, name)                                                                  \
    static plan_type function(const facts_type *f)                                                 \
    {                                                                                              \
        size_t last = sizeof table / sizeof table[0] - 1;                                          \
        for (size_t i = 0; i < last; i++)                                                          \
            if (!SG_POLICY_IS_OFF(name, i) && table[i].when(f))                                    \
                return table[i].then;                                                              \
        return table[last].then;                                                                   \
    }

#endif
