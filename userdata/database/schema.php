<?php
/*
 * The database client of wna-database, which starts this script as user wna-database. Each
 * line of standard input is a request, a JSON object; each answer is a line of standard output.
 *
 *   1. host, port, ca, database, user, password, agent [name, password], page [name, password],
 *      writes (whether the page adds rows)
 *      → takes the lock, creates what is missing, tests both logins; a user whose password is null
 *      has IAM authentication, and its login is not tested
 *   2. keep [generations] or null → drops the users of all other generations, unless null
 *
 * An answer is {"did": [...]} or {"error": "...", "code": server's number}. Answers never have a
 * secret, nor the server's message about a statement with a secret. Works with MySQL 8 and
 * MariaDB. The lock belongs to the connection and ends with it.
 */
declare(strict_types=1);

const LOCK = 'web-node-agent.schema';
const LOCK_WAIT_S = 45;
const CONNECT_S = 5;
const READ_S = 60;
const DENIED = 1045;
const READ_ONLY = [1290, 1792, 1836];

class Failed extends Exception {}

function order(): ?array
{
	$line = fgets(STDIN);
	return $line === false ? null : json_decode($line, true, 8, JSON_THROW_ON_ERROR);
}

function answer(array $what): void
{
	fwrite(STDOUT, json_encode($what, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
	fflush(STDOUT);
}

/* The server's certificate must be valid for the endpoint's name. */
function connect(array $to, string $user, #[SensitiveParameter] string $password,
	string $database = ''): mysqli
{
	$db = mysqli_init();
	$db->options(MYSQLI_OPT_CONNECT_TIMEOUT, CONNECT_S);
	$db->options(MYSQLI_OPT_READ_TIMEOUT, READ_S);
	$db->options(MYSQLI_OPT_SSL_VERIFY_SERVER_CERT, true);
	$db->ssl_set(null, null, $to['ca'], null, null);
	@$db->real_connect($to['host'], $user, $password, $database, (int)$to['port'], null,
		MYSQLI_CLIENT_SSL);
	if ($db->connect_errno !== 0)
		throw new Failed("login as $user: ($db->connect_errno) $db->connect_error",
			$db->connect_errno);
	return $db;
}

/* `what` replaces the statement's text in messages. */
function run(mysqli $db, string $what, string $sql): mysqli_result|bool
{
	$result = $db->query($sql);
	if ($result === false)
		throw new Failed(in_array($db->errno, READ_ONLY, true)
			? "$what: ($db->errno) the server is read-only"
			: "$what: error $db->errno, SQLSTATE $db->sqlstate", $db->errno);
	return $result;
}

function lock(mysqli $db): void
{
	$got = run($db, 'lock', sprintf("SELECT GET_LOCK('%s', %d)", LOCK, LOCK_WAIT_S));
	if ($got->fetch_row()[0] != 1)
		throw new Failed('another node has the lock');
}

function name(string $text, string $form): string
{
	if (!preg_match("/^(?:$form)$/D", $text))
		throw new Failed('a name is malformed');
	return $text;
}

/* Creates the user with this password and these rights, and tests the login. */
function user(mysqli $db, array $to, string $name, #[SensitiveParameter] ?string $password,
	string $database, ?string $grant): array
{
	$account = "'" . name($name, '(wna|page)_([0-9a-f]{8}|iam)') . "'@'%'";
	$by = ($password === null ? "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
		: "IDENTIFIED BY '" . $db->real_escape_string($password) . "'") . ' REQUIRE SSL';
	$did = [];
	run($db, "create $name", "CREATE USER IF NOT EXISTS $account $by");
	if ($db->warning_count === 0)
		$did[] = "made user $name";
	else if ($password === null)
		run($db, "alter $name", "ALTER USER $account $by");
	if ($grant !== null)
		run($db, "grant to $name", "GRANT $grant TO $account");
	if ($password === null)
		return $did;
	try {
		connect($to, $name, $password, $database)->close();
	} catch (Failed $refused) {
		if ($refused->getCode() !== DENIED)
			throw $refused;
		run($db, "alter $name", "ALTER USER $account $by");
		connect($to, $name, $password, $database)->close();
		$did[] = "gave user $name its password again";
	}
	return $did;
}

/*
 * Creates the table together with its first row: under a temporary name, then renamed. The next
 * run drops the temporary table of a killed run. An existing table is not changed: deleted rows
 * stay deleted. The lock excludes other nodes.
 */
function table(mysqli $db, string $database): array
{
	if (run($db, 'look for the table',
		"SHOW TABLES FROM `$database` LIKE 'practice'")->num_rows > 0)
		return [];
	$new = "`$database`.practice_new";
	run($db, 'drop an unfinished table', "DROP TABLE IF EXISTS $new");
	run($db, 'create table', "CREATE TABLE $new (
		id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL,
		address VARCHAR(200) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4");
	run($db, 'first row', "INSERT INTO $new VALUES (1, 'KIM', 'SEOUL')");
	run($db, 'rename table', "RENAME TABLE $new TO `$database`.practice");
	return ["made table $database.practice"];
}

function schema(mysqli $db, array $to): array
{
	$database = name($to['database'], '[A-Za-z][A-Za-z0-9_]{0,63}');
	run($db, 'create database', "CREATE DATABASE IF NOT EXISTS `$database`");
	$did = table($db, $database);
	/* In a grant "_" matches any character. */
	$pattern = str_replace('_', '\\_', $database);
	[$agent, $page] = [$to['agent'], $to['page']];
	return array_merge($did,
		user($db, $to, $agent[0], $agent[1], '', null),
		user($db, $to, $page[0], $page[1], $database,
			($to['writes'] ? 'SELECT, INSERT' : 'SELECT') . " ON `$pattern`.*"));
}

function retire(mysqli $db, array $keep): array
{
	$found = run($db, 'list users',
		"SELECT User FROM mysql.user WHERE User REGEXP '^(wna|page)_[0-9a-f]{8}$'");
	$did = [];
	foreach ($found->fetch_all() as [$name]) {
		if (in_array(substr($name, -8), $keep, true))
			continue;
		run($db, "drop $name", "DROP USER IF EXISTS '" .
			name($name, '(wna|page)_[0-9a-f]{8}') . "'@'%'");
		$did[] = "dropped user $name";
	}
	return $did;
}

mysqli_report(MYSQLI_REPORT_OFF);
try {
	$to = order() ?? exit(0);
	$db = connect($to, $to['user'], $to['password']);
	lock($db);
	$did = schema($db, $to);
	answer(['did' => []]);
	$then = order() ?? exit(0);
	if ($then['keep'] !== null)
		$did = array_merge($did, retire($db, $then['keep']));
	answer(['did' => $did]);
} catch (Failed $failed) {
	answer(['error' => $failed->getMessage(), 'code' => $failed->getCode()]);
	exit(1);
} catch (JsonException) {
	answer(['error' => 'a request is not JSON']);
	exit(1);
}
