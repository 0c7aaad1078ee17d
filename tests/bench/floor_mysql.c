/* Floor for wna-rds: c-ares initialised, one TLS session to the database, a
 * ping every two seconds.
 *	floor_mysql HOST PORT USER CA_FILE   password on standard input */
#include <ares.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	ares_channel channel;
	char password[128];
	MYSQL *mysql;

	if (argc != 5 || !fgets(password, sizeof password, stdin))
		return 2;
	password[strcspn(password, "\n")] = '\0';
	ares_library_init(ARES_LIB_INIT_ALL);
	ares_init(&channel);
	mysql = mysql_init(NULL);
	mysql_ssl_set(mysql, NULL, NULL, argv[4], NULL, NULL);
	if (!mysql_real_connect(mysql, argv[1], argv[3], password, NULL,
	                        (unsigned)strtoul(argv[2], NULL, 10), NULL, 0)) {
		fprintf(stderr, "%s\n", mysql_error(mysql));
		return 1;
	}
	while (mysql_ping(mysql) == 0)
		sleep(2); /* the agent's own period */
	return 1;
}
