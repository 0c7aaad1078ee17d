/*
 * Run by wna-cloud. Blocks on reading a token file, which is local by nature
 * (a projected volume). Holds a bearer token, wiped by its owner.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "creds_source.h"
#include "net.h"
#include "str.h"

enum { CONNECT_MS = 2000, ANSWER_MS = 2000, BODY_MAX = 16 * 1024 };

/* 169.254.170.2 ECS, 169.254.170.23 and fd00:ec2::23 EKS Pod Identity. */
static bool host_allowed(const char *host)
{
	static const char *const agents[] = { "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
	char bare[LIMIT_HOST];
	struct net_addr addr, agent;
	size_t len = strlen(host);

	if (strcmp(host, "localhost") == 0)
		return true;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, host, len);
	bare[len] = '\0';
	if (!net_addr_parse(bare, &addr))
		return false;
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (net_addr_parse(agents[i], &agent) && net_addr_equal(&addr, &agent))
			return true;
	return net_addr_is_loopback(&addr);
}

static bool url_allowed(const char *text)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool allowed = false;

	if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER)
		allowed = strcmp(scheme, "https") == 0 ||
		          (strcmp(scheme, "http") == 0 && host_allowed(host));
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(url);
	return allowed;
}

static const char *env_text(char *(*env)(const char *name), const char *name)
{
	const char *value = env(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

void creds_container_read(char *(*env)(const char *name), struct creds_container *ret)
{
	const char *relative = env_text(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = env_text(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *file = env_text(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	char *token = env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	char url[sizeof(ret->url)];
	int len;

	memset(ret, 0, sizeof(*ret));
	if (relative == NULL && full == NULL)
		return;
	ret->set = true;
	len = relative != NULL ? snprintf(url, sizeof(url), "http://169.254.170.2%s", relative)
	                       : snprintf(url, sizeof(url), "%s", full);
	if (len < 0 || (size_t)len >= sizeof(url) || (relative != NULL && relative[0] != '/') ||
	    !url_allowed(url))
		str_copy(ret->why, sizeof(ret->why),
		         "container: the URI is neither https nor of an allowed host");
	else
		str_copy(ret->url, sizeof(ret->url), url);
	if (file != NULL && !str_copy(ret->token_file, sizeof(ret->token_file), file))
		ret->url[0] = '\0';
	if (token != NULL && token[0] != '\0') {
		if (!str_copy(ret->token, sizeof(ret->token), token))
			ret->url[0] = '\0';
		explicit_bzero(token, strlen(token));
	}
	if (ret->url[0] == '\0' && ret->why[0] == '\0')
		str_copy(ret->why, sizeof(ret->why),
		         "container: token or its file's name too long");
}

/* The whole file, without the line end that editors leave. 0 or -errno. */
static int read_token(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, ret, size);
	int error = got < 0 ? -errno : 0;

	close(fd);
	if (error != 0)
		return error;
	if ((size_t)got >= size)
		return -EFBIG;
	while (got > 0 && (ret[got - 1] == '\n' || ret[got - 1] == '\r'))
		got--;
	ret[got] = '\0';
	return 0;
}

/* As a header's value: no line ends, nothing invisible. */
static bool token_sendable(const char *token)
{
	for (; *token != '\0'; token++)
		if (*token < ' ' || *token > '~')
			return false;
	return true;
}

struct http_call *creds_container_start(const struct creds_container *container, struct http *http,
                                        http_done *done, void *arg, char *ret_why, size_t size)
{
	char token[sizeof(container->token)], header[sizeof(token) + 32];
	const char *const headers[] = { "Accept: application/json", header, NULL };
	struct http_call *call = NULL;
	int error = 0;

	str_copy(token, sizeof(token), container->token);
	if (container->token_file[0] != '\0')
		error = read_token(container->token_file, token, sizeof(token));
	if (error != 0) {
		snprintf(ret_why, size, "container: token file: %s", strerror(-error));
		goto out;
	}
	if (!token_sendable(token)) {
		snprintf(ret_why, size, "container: the token cannot stand in a header");
		goto out;
	}
	/* An empty header by this name is how libcurl leaves it out. */
	snprintf(header, sizeof(header), "Authorization:%s%s", token[0] != '\0' ? " " : "", token);

	const struct http_request request = {
		.method = "GET",
		.url = container->url,
		.headers = headers,
		.connect_timeout_ms = CONNECT_MS,
		.timeout_ms = ANSWER_MS,
		.max_body = BODY_MAX,
		.local = true,
	};

	call = http_start(http, &request, done, arg);
	if (call == NULL)
		snprintf(ret_why, size, "container: request not started");
	explicit_bzero(header, sizeof(header));
out:
	explicit_bzero(token, sizeof(token));
	return call;
}
