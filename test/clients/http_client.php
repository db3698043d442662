<?php
// PHP's https stream with a proxy in its context.
// usage: http_client.php PROXY CA GET|PUT URL FILE
// GET writes the body to FILE; PUT sends FILE and prints the answer.

[, $proxy, $ca, $method, $url, $file] = $argv;
$http = ['proxy' => "tcp://$proxy", 'method' => $method, 'timeout' => 30];
if ($method === 'PUT') {
    $http['content'] = file_get_contents($file);
    $http['header'] = 'Content-Type: application/octet-stream';
}
$context = stream_context_create([
    'http' => $http,
    'ssl' => ['cafile' => $ca, 'verify_peer' => true, 'verify_peer_name' => true],
]);
$body = file_get_contents($url, false, $context);
if ($body === false) {
    exit(1);
}
if ($method === 'GET') {
    file_put_contents($file, $body);
} else {
    echo $body;
}
