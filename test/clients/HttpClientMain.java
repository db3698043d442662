import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Java's two clients. usage: HttpClientMain url|client PROXY CA GET|PUT URL FILE
 * GET writes the body to FILE; PUT sends FILE and prints the answer.
 */
public class HttpClientMain {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    public static void main(String[] args) throws Exception {
        int colon = args[1].lastIndexOf(':');
        InetSocketAddress proxy = new InetSocketAddress(
                args[1].substring(0, colon), Integer.parseInt(args[1].substring(colon + 1)));
        SSLContext tls = trusting(Path.of(args[2]));
        byte[] upload = args[3].equals("PUT") ? Files.readAllBytes(Path.of(args[5])) : null;
        byte[] answer = args[0].equals("url")
                ? throughUrlConnection(proxy, tls, URI.create(args[4]), upload)
                : throughHttpClient(proxy, tls, URI.create(args[4]), upload);
        if (upload == null) {
            Files.write(Path.of(args[5]), answer);
        } else {
            System.out.write(answer);
            System.out.flush();
        }
    }

    private static SSLContext trusting(Path pem) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(pem))));
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    private static byte[] throughUrlConnection(
            InetSocketAddress proxy, SSLContext tls, URI uri, byte[] upload) throws Exception {
        HttpsURLConnection connection = (HttpsURLConnection)
                uri.toURL().openConnection(new Proxy(Proxy.Type.HTTP, proxy));
        connection.setSSLSocketFactory(tls.getSocketFactory());
        connection.setReadTimeout((int) TIMEOUT.toMillis());
        if (upload != null) {
            connection.setRequestMethod("PUT");
            connection.setDoOutput(true);
            connection.setFixedLengthStreamingMode(upload.length);
            try (OutputStream out = connection.getOutputStream()) {
                out.write(upload);
            }
        }
        require(connection.getResponseCode() == HttpURLConnection.HTTP_OK);
        try (InputStream in = connection.getInputStream()) {
            return in.readAllBytes();
        }
    }

    private static byte[] throughHttpClient(
            InetSocketAddress proxy, SSLContext tls, URI uri, byte[] upload) throws Exception {
        HttpClient client = HttpClient.newBuilder()
                .proxy(ProxySelector.of(proxy)).sslContext(tls).connectTimeout(TIMEOUT).build();
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).timeout(TIMEOUT);
        if (upload != null) {
            request.PUT(HttpRequest.BodyPublishers.ofByteArray(upload));
        }
        HttpResponse<byte[]> answer =
                client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        require(answer.statusCode() == HttpURLConnection.HTTP_OK);
        return answer.body();
    }

    private static void require(boolean isTrue) {
        if (!isTrue) {
            throw new IllegalStateException("the origin did not answer 200");
        }
    }
}
