# A small HTTP server: each request is counted in redis and answered with what PostgreSQL has. `check` asks it for itself.
use strict;
use warnings;
use IO::Socket::INET;

sub ask {
  my ($host, $port, $text) = @_;
  my $socket = IO::Socket::INET->new(PeerAddr => "$host:$port", Timeout => 5) or die "$host: $!\n";
  print $socket $text;
  my $answer = <$socket>;
  $answer =~ s/\s+$//;
  return $answer;
}

if (@ARGV && $ARGV[0] eq 'check') {
  exit(ask('127.0.0.1', 8000, "GET /health HTTP/1.0\r\n\r\n") =~ / 200 / ? 0 : 1);
}

open(my $secret, '<', '/run/secrets/database-password') or die;
chomp($ENV{PGPASSWORD} = <$secret>);
chomp(my $name = `cat /etc/hostname`);
$SIG{CHLD} = 'IGNORE';
$| = 1;
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 20, ReuseAddr => 1) or die "listen: $!\n";
print "ready\n";
while (my $client = $server->accept) {
  next if fork;
  $SIG{CHLD} = 'DEFAULT';
  my ($path) = (<$client> // '') =~ m{^GET (\S+)} or exit;
  while (my $line = <$client>) { last if $line =~ /^\r?\n/ }
  my $body = "fine\n";
  if ($path ne '/health') {
    my $hits = ask('cache', 6379, "INCR hits\r\n");
    my $orders = `psql -Ath db -U postgres -c 'select count(*) from orders' postgres 2>&1`;
    print "served $path\n";
    $body = $path eq '/who' ? "$name\n" : "$ENV{GREETING} hits=" . substr($hits, 1) . " orders=$orders";
  }
  print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n$body";
  exit;
}
