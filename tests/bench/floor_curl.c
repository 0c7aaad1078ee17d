/* Floor for wna-cloud: libcurl with TLS and a CA bundle, one post every ten
 * seconds over a kept connection; cJSON, SQLite and libcrypto loaded.
 *	floor_curl URL CA_FILE */
#include <cjson/cJSON.h>
#include <curl/curl.h>
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
		sleep(10);
	}
}
