/*
 * Where MariaDB Connector/C and Oracle's libmysqlclient differ. Everything
 * else of the agent uses what both have. Built and run with Connector/C;
 * Oracle's branch follows its manual ("C API", MySQL 8.0) and was compiled
 * against nothing here.
 *
 * Without verification Connector/C logs in without TLS where the server offers
 * none, whatever it was told to enforce. From 3.3 on it can be made to stop
 * before the login (send_client_reply_packet in its my_auth.c, ma_pvio_start_ssl
 * in its ma_pvio.c); with an older one session_open finds out after it.
 */
#ifndef WNA_RDS_CONNECTOR_H
#define WNA_RDS_CONNECTOR_H

#include <mysql.h>
#include <stdbool.h>

#include "conf.h"

/* TLS as configured: verify (chain and host name), required, off. And which
 * ways to log in are allowed: the password itself goes to a verified server
 * only. False if the library does not take an option: then it must not connect. */
bool connector_secure(MYSQL *mysql, const struct conf_rds *conf);

/* The socket of a connected session, or -1. The library's property. */
int connector_socket(MYSQL *mysql);

/* Wipes the library's own copy of the password; it is for reconnects, which we
 * do not let it do. */
void connector_forget(MYSQL *mysql);

#endif
