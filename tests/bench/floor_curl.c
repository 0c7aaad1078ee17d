/* Floor for wna-cloud: libcurl with TLS and a CA bundle, /proc/stat read once a
 * second and one post every ten over a kept connection; cJSON, SQLite and libcrypto
 * loaded.
 *	floor_curl URL CA_FILE */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

static size_t drop(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static void sample(void)
{
	static char text[8192];
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof text) <= 0)
		perror("/proc/stat");
	close(fd);
}

int main(int argc, char **argv)
{
	sqlite3 *db;
	CURL *curl;

	if (argc != 3)
		return 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	cJSON_Delete(cJSON_Parse("{}"));
	sqlite3_open(":memory:", &db);
	sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL);
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA256", NULL));
	curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{}");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	for (;;) {
		CURLcode rc = curl_easy_perform(curl);

		if (rc)
			fprintf(stderr, "%s\n", curl_easy_strerror(rc));
		for (int second = 0; second < 10; second++) {
			sample();
			sleep(1); /* the agent's own period */
		}
	}
}
