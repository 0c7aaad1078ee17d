/* The files of rds_report.h: rds.json and rds.env. */
#ifndef WNA_RDS_REPORT_FILE_H
#define WNA_RDS_REPORT_FILE_H

#include "rds_report.h"

/* Both log a failure and go on: the next change tries again. */
void report_write_json(struct report *report);
void report_write_env(const struct report *report);

#endif
