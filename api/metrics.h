/* Figures of apid: requests by route and class of status, their time, the pools. */
#ifndef SG_API_METRICS_H
#define SG_API_METRICS_H

#include "api/router.h"
#include "api/service.h"

#include "common/metrics.h"

/* Makes the routes' labels; before anything else here. */
void api_metrics_init(void);
/* A request has ended; route NULL: there was none. status 0: the client went away. */
void api_metrics_request(const struct api_route *route, int status, int64_t began_us);
/* Sets the gauges. */
void api_metrics_collect(struct api_service *service);

extern struct sg_metric *const api_metrics[];

#endif
