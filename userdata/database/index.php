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
 * A persistent session: PHP checks that the session is alive before it reuses it, and the agent
 * ends the sessions with the former writer when the database has moved.
 */
function database(): mysqli
{
	$to = ini(CREDENTIALS);
	if (!isset($to['host'], $to['port'], $to['ca'], $to['database'], $to['user'], $to['password']))
		fail(500, 'database: this node has no credentials yet: ' . CREDENTIALS . ' '
			. (is_readable(CREDENTIALS) ? 'is not complete'
				: (file_exists(CREDENTIALS) ? 'may not be read' : 'is not there')));
	mysqli_report(MYSQLI_REPORT_OFF);
	/* MYSQLI_OPT_READ_TIMEOUT does not work for a TLS session whose server has died; without
	 * this setting the request would wait for a minute. */
	ini_set('default_socket_timeout', (string)READ_S);
	$db = mysqli_init();
	$db->options(MYSQLI_OPT_CONNECT_TIMEOUT, CONNECT_S);
	$db->options(MYSQLI_OPT_READ_TIMEOUT, READ_S);
	$db->options(MYSQLI_OPT_SSL_VERIFY_SERVER_CERT, true);
	$db->ssl_set(null, null, $to['ca'], null, null);
	@$db->real_connect('p:' . $to['host'], $to['user'], $to['password'], $to['database'],
		(int)$to['port'], null, MYSQLI_CLIENT_SSL);
	if ($db->connect_errno !== 0)
		fail(500, "database: ($db->connect_errno) $db->connect_error");
	return $db;
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
	$insert = @$db->prepare('INSERT INTO practice (name, address) VALUES (?, ?)');
	if ($insert === false || !@$insert->execute($row))
		fail(500, "database: ($db->errno) $db->error");
	http_response_code(201);
	header('Content-Type: text/plain; charset=utf-8');
	exit($insert->insert_id . "\n");
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
$found = @database()->query('SELECT id, name, address FROM practice ORDER BY id DESC LIMIT 50');
if ($found === false)
	fail(500, 'database: the rows cannot be read');
$rows = array_reverse($found->fetch_all());
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
