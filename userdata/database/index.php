<?php
/*
 * Shows the identity of the answering instance and the rows of the table. With writes = "true" in
 * page.ini a form adds a row.
 * This file is on the shared file system: identity and secrets come from files of the node,
 * /run/web-node-agent/facts.env and /etc/web-node-agent/page.ini.
 */
declare(strict_types=1);

const FACTS = '/run/web-node-agent/facts.env';
const CREDENTIALS = '/etc/web-node-agent/page.ini';
const CONNECT_S = 2;
const READ_S = 2;
const IDLE_S = 30;

function ini(string $path): array
{
	return @parse_ini_file($path, false, INI_SCANNER_RAW) ?: [];
}

function writes(): bool
{
	return (ini(CREDENTIALS)['writes'] ?? '') === 'true';
}

function fail(int $status, string $why): never
{
	http_response_code($status);
	header('Content-Type: text/plain; charset=utf-8');
	exit("$why\n");
}

/*
 * A persistent session: PHP asks whether the session is alive before it reuses it, and the agent
 * ends the sessions with the former writer when the database has moved. PDO, because mysqli would log in
 * again at each request, and AWS advises IAM authentication for less than 200 logins a second.
 * The password of page.ini may be a login token, which changes: the next request logs in with the new
 * one, and the server ends the former session when it has been idle.
 */
function database(): PDO
{
	$to = ini(CREDENTIALS);
	if (!isset($to['host'], $to['port'], $to['ca'], $to['database'], $to['user'], $to['password']))
		fail(500, 'database: this node has no credentials yet: ' . CREDENTIALS . ' '
			. (is_readable(CREDENTIALS) ? 'is not complete'
				: (file_exists(CREDENTIALS) ? 'may not be read' : 'is not there')));
	/* mysqlnd's timeout does not work for a TLS session whose server has died; without the second
	 * setting the request would wait for a minute. */
	ini_set('mysqlnd.net_read_timeout', (string)READ_S);
	ini_set('default_socket_timeout', (string)READ_S);
	try {
		return @new PDO("mysql:host={$to['host']};port={$to['port']};dbname={$to['database']}",
			$to['user'], $to['password'], [
				PDO::ATTR_PERSISTENT => true,
				PDO::ATTR_TIMEOUT => CONNECT_S,
				PDO::ATTR_EMULATE_PREPARES => false,
				PDO::MYSQL_ATTR_SSL_CA => $to['ca'],
				PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true,
				PDO::MYSQL_ATTR_INIT_COMMAND => 'SET SESSION wait_timeout = ' . IDLE_S,
			]);
	} catch (PDOException $refused) {
		fail(500, 'database: ' . $refused->getMessage());
	}
}

function field(string $name, int $longest): string
{
	$text = $_POST[$name] ?? '';
	if (!is_string($text) || !is_utf8($text) || trim($text) === '' || strlen($text) > $longest)
		fail(400, "$name: 1 to $longest bytes of UTF-8 text");
	return trim($text);
}

function is_utf8(string $text): bool
{
	return preg_match('//u', $text) === 1;
}

function add(): never
{
	if (!writes()) {
		header('Allow: GET, HEAD');
		fail(405, 'this page only reads');
	}
	$row = [field('name', 100), field('address', 200)];
	$db = database();
	try {
		@$db->prepare('INSERT INTO practice (name, address) VALUES (?, ?)')->execute($row);
	} catch (PDOException $refused) {
		fail(500, 'database: ' . $refused->getMessage());
	}
	http_response_code(201);
	header('Content-Type: text/plain; charset=utf-8');
	exit($db->lastInsertId() . "\n");
}

function cells(string $tag, array $texts): string
{
	$html = '';
	foreach ($texts as $text)
		$html .= "<$tag>" . htmlspecialchars((string)$text) . "</$tag>";
	return "<tr>$html</tr>\n";
}

header('Cache-Control: no-store');
if ($_SERVER['REQUEST_METHOD'] === 'POST')
	add();
$facts = ini(FACTS);
$db = database();
try {
	$rows = array_reverse(@$db->query('SELECT id, name, address FROM practice ORDER BY id DESC LIMIT 50')
		->fetchAll(PDO::FETCH_NUM));
} catch (PDOException) {
	fail(500, 'database: the rows cannot be read');
}
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>RDS Practice</title>
<style>
body { font-family: sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { border: 1px solid #999; padding: .3em .8em; text-align: left; }
</style>
</head>
<body>
<h1>Instance data</h1>
<table>
<?= cells('th', ['Data', 'Value']) ?>
<?= cells('td', ['Instance ID', $facts['WNA_INSTANCE_ID'] ?? '']) ?>
<?= cells('td', ['Private IP Address', $facts['WNA_PRIVATE_IPV4'] ?? '']) ?>
<?= cells('td', ['Public IP Address', $facts['WNA_PUBLIC_IPV4'] ?? '']) ?>
<?= cells('td', ['Availability Zone', $facts['WNA_AZ'] ?? '']) ?>
</table>
<h1>RDS Practice</h1>
<table>
<?= cells('th', ['ID', 'NAME', 'ADDRESS']) ?>
<?php foreach ($rows as $row) echo cells('td', $row); ?>
</table>
<?php if (writes()): ?>
<form method="post">
<p><label>Name <input name="name" maxlength="100" required></label>
<label>Address <input name="address" maxlength="200" required></label>
<button>Add</button></p>
</form>
<?php endif; ?>
</body>
</html>
