# Perl's LWP. usage: http_client.pl PROXY CA GET|PUT URL FILE
# GET writes the body to FILE; PUT sends FILE and prints the answer.
use strict;
use warnings;
use LWP::UserAgent;

my ($proxy, $ca, $method, $url, $file) = @ARGV;
my $agent = LWP::UserAgent->new(timeout => 30, keep_alive => 1);
$agent->ssl_opts(SSL_ca_file => $ca, verify_hostname => 1);
$agent->proxy(https => "http://$proxy/");

my $answer;
if ($method eq 'GET') {
    $answer = $agent->get($url, ':content_file' => $file);
} else {
    open(my $in, '<:raw', $file) or die "$file: $!";
    local $/;
    $answer = $agent->put($url, Content => scalar <$in>);
    print $answer->content;
}
die $answer->status_line, "\n" unless $answer->code == 200;
die $answer->header('X-Died'), "\n" if $answer->header('X-Died');
