import java.io.IOException;
import java.io.InputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/**
 * Java's two clients with a proxy that asks for a password. usage:
 * AuthMain url|client PROXY URL USER PASSWORD; the CA comes by -Djavax.net.ssl.trustStore.
 * Prints the body, or the status or exception that there was instead.
 */
public class AuthMain {
    public static void main(String[] args) throws Exception {
        int colon = args[1].lastIndexOf(':');
        InetSocketAddress proxy = new InetSocketAddress(
                args[1].substring(0, colon), Integer.parseInt(args[1].substring(colon + 1)));
        Authenticator authenticator = new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(args[3], args[4].toCharArray());
            }
        };
        try {
            System.out.print(args[0].equals("url")
                    ? throughUrlConnection(proxy, authenticator, args[2])
                    : throughHttpClient(proxy, authenticator, args[2]));
        } catch (IOException refused) {
            System.out.print(refused.getMessage());
        }
        System.out.flush();
    }

    private static String throughUrlConnection(
            InetSocketAddress proxy, Authenticator authenticator, String url) throws Exception {
        HttpURLConnection connection = (HttpURLConnection)
                new java.net.URL(url).openConnection(new Proxy(Proxy.Type.HTTP, proxy));
        connection.setAuthenticator(authenticator);
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes());
        }
    }

    private static String throughHttpClient(
            InetSocketAddress proxy, Authenticator authenticator, String url) throws Exception {
        HttpResponse<String> answer = HttpClient.newBuilder()
                .proxy(ProxySelector.of(proxy)).authenticator(authenticator).build()
                .send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(30)).build(),
                        HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() == 200 ? answer.body() : "status " + answer.statusCode();
    }
}
